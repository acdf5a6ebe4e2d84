"""What keeps inference honest: reusable holdouts, truth from crowds, what training data leak, certifiers, unlearning."""
