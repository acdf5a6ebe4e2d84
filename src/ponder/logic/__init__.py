"""First-order logic: a language with a parser and a printer, provers, and finders of finite models."""
