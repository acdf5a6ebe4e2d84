"""Reading an answer off a text, in a canonical form, so that equal answers are equal texts.

`12`, `**12**`, `#### 12`, `12, because ...`, `The answer is 12.` and a boxed 12 are one answer. A reader returns None when the
text gives no answer: such a candidate never wins a vote. The last answer mark counts, so that a correction counts. Readers
never raise, and reading a canonical value gives it back. Their time is linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from string import ascii_uppercase

from ponder.core.code_reading import read_code, read_literal
from ponder.core.figures import after_equals, free_number, leading_number, numbers, stated_number
from ponder.core.steps import read_steps
from ponder.core.tool_calls import read_tool_calls

Reader = Callable[[str, tuple[str, ...]], str | None]

_LABEL = re.compile(r"\s{0,20}[#*_ ]{0,6}(?:final[ \t])?(?:answer|response)[*_]{0,3}[ \t]?:[*_]{0,3}\s{0,5}", re.IGNORECASE)
_MARK = re.compile(
    r"(?<!if the )(?<!whether the )\b(?:answers?|final[ \t]result)[*_`\"]{0,3}[ \t]{0,3}"
    r"(?:(?:to|for|of)[ \t][^.:=\n]{1,80}?[ \t])?(?:\([^()\n]{0,30}\)[ \t]{0,3})?"
    r"(?:(?:is|are|was|(?:would|should|must|will)[ \t]be|equals|becomes)(?![\w'’])(?![ \t]{1,3}(?:not|n't)\b)[ \t]{0,3}[:=]?|[:=])"
    r"|^[#*_ \t]{0,10}(?:the[ \t])?(?:final[ \t])?answer[*_ \t]{0,10}$",
    re.IGNORECASE | re.MULTILINE,
)
_HASHES = re.compile(r"^[ \t]{0,9}####[ \t]{1,9}(?!#|step\b)|(?<![#\n])####(?!#)", re.IGNORECASE | re.MULTILINE)
_GAP = re.compile(r"[\s*`:\"]*+")
_LONGEST = 2000
_SENTENCE = re.compile(r"(?:(?<=[^\W_]{3})|(?<=\d)|(?<=[)\]\"'*}$`]))(?<!\bMrs)[.!?][\"'*)]{0,3}\s+(?=[A-Z])|,?\s{1,5}because\b")
_DELIMITERS = re.compile(r"\\[()\[\],;!]|\\(?:text|mathrm|mathbf|textbf|mbox)\b|[$`{}]|^[ \t]*>", re.MULTILINE)
_TRIES = 20
_RUNNING = re.compile(r"\s{0,20}(?:[-+*>_\d]{1,30};)+([-+*>_\d]{1,30});?\s{0,20}", re.ASCII)
_BARE = re.compile(r"[-+−–]?(?:\\?[$€£])?[\d.,/]+\\?%?|[-+−–]?\d*\\frac\{[-+]?[\d.]+\}\{[\d.]+\}")


def boxed(text: str) -> str | None:
    """The content of the last \\boxed{...}, braces balanced; None if there is none."""
    found = _box(text)
    return None if found is None else found[1]


def _box(text: str) -> tuple[int, str] | None:
    start = max(text.rfind("\\boxed{"), text.rfind("\\fbox{"))
    if start < 0:
        return None
    open_at = text.index("{", start)
    depth = 0
    for brace in re.finditer(r"[{}]", text[open_at:]):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return start, text[open_at + 1 : open_at + brace.start()].strip()
    return None


def marked(text: str) -> str | None:
    """What follows the last explicit answer mark (a box, ####, "the answer is"), to the end of its line or paragraph."""
    return next((content for content, _ in _marked(text)), None)


def after_mark(text: str) -> str | None:
    """Everything behind the last explicit answer mark, as it was written; None if there is no mark."""
    return next((content if text.startswith("\\", start) else text[start:] for content, start in _marked(text)), None)


def _marked(text: str) -> Iterator[tuple[str, int]]:
    """What a few last answer marks hold and where that starts (of a box: where the box starts), the last mark first."""
    found = sorted((m.start(), m.end()) for pattern in (_MARK, _HASHES) for m in pattern.finditer(text))
    held = [(mark, *_line_after(text, end, hashes=text[mark:end].strip() == "####")) for mark, end in found[-_TRIES:]]
    box = _box(text)
    if box is not None:
        held.append((box[0], box[1], box[0]))
    yield from ((content, start) for _, content, start in sorted(held, reverse=True) if content)


def _line_after(text: str, position: int, hashes: bool) -> tuple[str, int]:
    """The rest of a mark's line, or the paragraph below it where the mark ends its line; and where that starts."""
    gap = _GAP.match(text, position)
    start = gap.end() if gap else position
    ends = "\n\n" if "\n" in text[position:start][:_LONGEST] else "\n"
    line = text[start : start + _LONGEST].partition(ends)[0].strip()
    if hashes and text[start + len(line) :].strip() and not re.fullmatch(r"[^\w\n]{0,3}[\d.,/]{1,40}%?\.?", line):
        return "", start  # a Markdown heading, not the last line of a solution
    return line, start


def read_number(text: str, choices: tuple[str, ...] = ()) -> str | None:
    """The number behind the last answer mark that holds one; else the one the text begins with; else the last line's.

    In a line with an equals sign the number is what follows the last one. An expression that is not worked out ("12 + 1"), a
    date, a time and a ratio are no numbers. Of running results ("97;873;871") the last counts. Values are exact: "12.50" and "25/2" are
    both "25/2", "75%" is "3/4".
    """
    label = _LABEL.match(text)
    body = text[label.end() :] if label else text  # "Answer:" before everything may open a whole chain of thought
    running = _RUNNING.fullmatch(body)
    if running is not None:
        return read_number(running[1]) if running[1].isdigit() else None
    for content, _ in _marked(body):
        stated = stated_number(content)
        if stated is not None:
            return stated or None
    leading = leading_number(body)
    if leading is not None:
        return leading
    for line in reversed(body.splitlines()):
        if re.search(r"\d", line):
            sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z])", _tail(line))
            last = next(s for s in reversed(sentences) if re.search(r"\d", s) or s is sentences[0])
            return (after_equals(last) if "=" in last else free_number(last)) or None
    return None


def _tail(line: str, length: int = 10_000) -> str:
    return line if len(line) <= length else line[-length:].partition(" ")[2]


def read_choice(text: str, choices: tuple[str, ...]) -> str | None:
    """The letter of the chosen option: behind the last mark, at the start, in brackets, or the only option whose text appears.

    Letters that name several options, and texts that name none, give None.
    """
    letters = ascii_uppercase[: max(len(choices), 2)] if choices else "ABCDEFGHIJ"
    mark = marked(text)
    if mark is not None:
        chosen = _exact_option(mark, choices) or _leading_letter(mark, letters) or _spoken_letter(mark, letters)
        return chosen or _named_option(mark, choices) or _spoken_letter(text, letters)
    listed = {m[1] for m in re.finditer(rf"^[ \t]*\(?([{letters}])[).:]", text, re.MULTILINE)}
    told = _exact_option(text, choices) or (_leading_letter(text, letters) if len(listed) < 2 else None)
    told = told or _spoken_letter(text, letters) or _named_option(text, choices)
    last_line = text.strip().rpartition("\n")[2]
    if told or (len(listed) > 1 and re.match(rf"\s*\(?[{letters}][).:]", last_line)):
        return told  # the options said over again choose none
    return _leading_letter(last_line, letters) or _named_option(last_line, choices)


def _undecorated(text: str) -> str:
    return _DELIMITERS.sub("", text).replace("*", "").strip()


def _exact_option(text: str, choices: tuple[str, ...]) -> str | None:
    bare = text_key(text)
    hits = [i for i, choice in enumerate(choices[:26]) if len(bare) > 1 and text_key(choice) == bare]
    return ascii_uppercase[hits[0]] if len(hits) == 1 else None


def _leading_letter(text: str, letters: str) -> str | None:
    clean = _undecorated(text[:2000])
    hit = re.match(rf"[(\[]?([{letters}{letters.lower()}])(?=[).:,;\]\s]|$)", clean)
    if hit is None or re.match(rf"[)\]]?(?:\s*[,/&]\s*|\s+)(?:(?:and|or)\s+)?\(?[{letters}]\b(?!\w)", clean[hit.end() :]):
        return None  # "A, B and D are wrong" chooses none of them
    after = clean[hit.end() :]
    word = hit[1] in "AI" or hit[1].islower()  # also words of English, which must not pass for options
    if word and not (not after.strip() or after[0] in ").:]" or (hit[1] == "A" and re.match(r",|\s+(?:is|because|since)\b", after))):
        return None
    return hit[1].upper()


def _spoken_letter(text: str, letters: str) -> str | None:
    verb = r"\b(?i:option|choice|answer|choose|pick|select|it['’]s|it)s?(?:\s(?:is|must be))?:?\s?"
    said = rf"{verb}[(*]{{0,3}}([{letters}])\b(?!['’])(?!\s(?!is|because|since)[a-z])"
    turned = rf"\b([{letters}])\)?\s(?:is|must be)\s(?:the\s)?(?:only\s)?(?:correct|right|best|true|answer)\b"
    spoken = [m[1] or m[2] for m in re.finditer(rf"{said}|{turned}", text)]
    if spoken:
        return spoken[-1]
    for part in (text, text.strip().rpartition("\n")[2]):
        bracketed = {m[1] for m in re.finditer(rf"\(([{letters}])\)", part)}
        if len(bracketed) == 1:
            return bracketed.pop()
    return None


def _named_option(text: str, choices: tuple[str, ...]) -> str | None:
    """The only option whose text appears, a longer option before one inside it; among numbers, the one that the text states."""
    values = [numbers(choice) for choice in choices[:26]]
    if choices and all(len(value) == 1 and not re.search(r"[A-Za-z]", choice) for value, choice in zip(values, choices, strict=False)):
        stated = read_number(text)
        hits = [i for i, value in enumerate(values) if value == [stated]]
        return ascii_uppercase[hits[0]] if len(hits) == 1 else None
    lowered = _undecorated(text).casefold()
    keys = [choice.strip().casefold() for choice in choices[:26]]
    named = [i for i, key in enumerate(keys) if key and re.search(rf"(?<![\w−-])(?<!\d[.,]){re.escape(key)}(?!\w|[.,]\d)", lowered)]
    widest = [i for i in named if not any(i != j and keys[i] in keys[j] for j in named)]
    return ascii_uppercase[widest[0]] if len(widest) == 1 else None


def read_boolean(text: str, choices: tuple[str, ...] = ()) -> str | None:
    """ "yes" or "no" (true and false count): behind the last mark, at the start, or the only one that the text or its last line says."""
    mark = marked(text)
    parts = (text,) if mark is None else (mark, text)
    for part in parts:
        said = _leading_boolean(part) or _only_boolean(part)
        if said:
            return said
    return _only_boolean(text.strip().rpartition("\n")[2])


def _leading_boolean(text: str) -> str | None:
    hit = re.match(r"[\W_]{0,20}(yes|no|true|false)\b(?![ \t]+(?:or|and|of|one|need)\b|/)", text, re.IGNORECASE)
    return None if hit is None else _truth(hit[1])


def _only_boolean(text: str) -> str | None:
    said = re.finditer(r"(\bnot[ \t]|n['’]t[ \t])?\b(yes|true|false|no(?=[\W_]{0,3}(?:[.,;:!\n]|$)))(?![\w-])", text, re.IGNORECASE)
    found = {_truth(m[2], negated=bool(m[1])) for m in said}
    return found.pop() if len(found) == 1 else None


def _truth(word: str, negated: bool = False) -> str:
    return "yes" if (word.lower() in ("yes", "true")) != negated else "no"


def text_key(text: str) -> str:
    """A text without decoration, case, runs of spaces and final punctuation."""
    plain = re.sub(r"(?<![\w\s])\*+|\*+(?![\w\s])|(?<!\S)\*+(?=\S)|(?<=\S)\*+(?!\S)", "", _DELIMITERS.sub("", text))
    return " ".join(plain.casefold().split()).strip(".!,;: \"'“”‘’")


def _settled(once: Callable[[str], str | None], text: str) -> str | None:
    """Read again what was read, until it stays: a canonical value reads as itself."""
    value = once(text)
    for _ in range(5):
        if value is None:
            return None
        again = once(value)
        if again == value:
            return value
        value = again
    return None


def read_text(text: str, choices: tuple[str, ...] = ()) -> str | None:
    """The marked answer's first sentence, else the whole text; case, spaces, decoration and final punctuation do not count."""
    return _settled(_text_once, text)


def _text_once(text: str) -> str | None:
    chosen = marked(text)
    return text_key(text if chosen is None else _SENTENCE.split(chosen, maxsplit=1)[0]) or None


def read_math(text: str, choices: tuple[str, ...] = ()) -> str | None:
    """The boxed, marked or last inline expression without spaces; a plain number in canonical form.

    Expressions that are equal but written differently stay apart here: `vote(equal="math")` joins them.
    """
    return _settled(_math_once, text)


def _math_once(text: str) -> str | None:
    chosen = marked(text)
    if chosen is None:
        inline = re.findall(r"\$([^$\n]{1,1000})\$|\\\(([^\n]{1,1000}?)\\\)", text)
        if inline:
            chosen = inline[-1][0] or inline[-1][1]
        elif len(text.split()) == 1:
            chosen = text
        else:
            return read_number(text)
    wrapped = re.match(r"\$([^$]{1,2000})\$|\\\((.{1,2000}?)\\\)", chosen)
    chosen = (wrapped[1] or wrapped[2]) if wrapped else _SENTENCE.split(chosen, maxsplit=1)[0]
    bare = (
        re.sub(r"\\(?:left|right|displaystyle)\b|\\[,;!:()\[\]]|[\s$`]|\*{2,}(?!\d)", "", chosen)
        .replace("\\dfrac", "\\frac")
        .replace("\\tfrac", "\\frac")
    )
    bare = re.sub(r"^[A-Za-z]=", "", bare).strip(".,;:")
    plain = (
        numbers(bare)
        if len(bare) <= 2000 and re.fullmatch(r"[-+−–]?(?:\\?[$€£])?[\d.,/]+\\?%?|[-+−–]?\d*\\frac\{[-+]?[\d.]+\}\{[\d.]+\}", bare)
        else []
    )
    return plain[0] if len(plain) == 1 else bare or None


def read_auto(text: str, choices: tuple[str, ...] = ()) -> str | None:
    """A choice if there are options; else yes or no if the answer begins so; a number if it holds one; else the text.

    A short answer (at most four words) that does not begin with a number is a text: "Apollo 11" is not the number 11.
    """
    if choices:
        return read_choice(text, choices)
    return _settled(_auto_once, text)


def _auto_once(text: str) -> str | None:
    chosen = marked(text)
    part = text if chosen is None else chosen
    said = _leading_boolean(part)
    if said:
        return said
    sentence = text_key(_SENTENCE.split(part, maxsplit=1)[0] if chosen is not None else part)
    begins = re.match(r"[^\w\s]{0,3}\d", sentence) is not None
    if "=" in sentence or begins or len(sentence.split()) > 4:
        number = read_number(text)
        if number is not None:
            return number
    return _text_once(text)


READERS: dict[str, Reader] = {
    "auto": read_auto,
    "number": read_number,
    "choice": read_choice,
    "boolean": read_boolean,
    "math": read_math,
    "text": read_text,
    "code": read_code,
    "literal": read_literal,
    "steps": read_steps,
    "tool-call": read_tool_calls,
}
"""Answer readers by name. A reader takes the text and the problem's choices."""
