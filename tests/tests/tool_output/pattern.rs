//! Whether an output is what a recording says, which leaves out and abbreviates. Pure.

/// A recorded line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    /// A line; `None` between its pieces stands for any text.
    Line(Vec<String>),
    /// Any number of lines.
    Any,
}

/// Stands for any text inside of a line.
const GAP: char = '\u{0}';

/// Whether `actual` is `recorded`, line by line, or in any order.
pub(crate) fn matches(recorded: &[String], actual: &[String], unordered: bool) -> bool {
    let patterns: Vec<Pattern> = recorded.iter().map(|line| pattern(line)).collect();
    if unordered { in_any_order(&patterns, actual) } else { in_order(&patterns, actual) }
}

fn pattern(line: &str) -> Pattern {
    if left_out(line) {
        return Pattern::Any;
    }
    let mut line = line.replace("[same]", &GAP.to_string());
    // The end of a line beyond 600 characters.
    if let Some(cut) = line.find(" [… ") {
        line.truncate(cut);
        line.push(GAP);
    }
    let line = line.replace("[the arguments]", &GAP.to_string());
    Pattern::Line(line.split(GAP).map(str::to_owned).collect())
}

/// `[3 more lines left out]` and the like.
fn left_out(line: &str) -> bool {
    let Some(inner) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) else {
        return false;
    };
    let words: Vec<&str> = inner.split(' ').collect();
    match words.as_slice() {
        ["help,", _, "lines"] => true,
        ["the", .., "more"] if inner.contains("above") => true,
        [number, "more", ..] => number.parse::<u32>().is_ok(),
        _ => false,
    }
}

fn in_order(patterns: &[Pattern], lines: &[String]) -> bool {
    match (patterns.split_first(), lines.split_first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some((Pattern::Any, rest)), None) => in_order(rest, lines),
        (Some((Pattern::Any, rest)), Some((_, lines_rest))) => {
            in_order(rest, lines) || in_order(patterns, lines_rest)
        }
        (Some((Pattern::Line(_), _)), None) => false,
        (Some((Pattern::Line(pieces), rest)), Some((line, lines_rest))) => {
            is_line(pieces, line) && in_order(rest, lines_rest)
        }
    }
}

fn in_any_order(patterns: &[Pattern], lines: &[String]) -> bool {
    let mut left: Vec<&String> = lines.iter().collect();
    for pattern in patterns {
        let Pattern::Line(pieces) = pattern else { continue };
        let Some(found) = left.iter().position(|line| is_line(pieces, line)) else { return false };
        left.remove(found);
    }
    left.is_empty() || patterns.contains(&Pattern::Any)
}

fn is_line(pieces: &[String], line: &str) -> bool {
    let [first, middle @ .., last] = pieces else {
        return pieces.first().is_some_and(|only| only == line);
    };
    let Some(mut rest) = line.strip_prefix(first.as_str()) else { return false };
    for piece in middle {
        let Some(found) = rest.find(piece.as_str()) else { return false };
        rest = &rest[found + piece.len()..];
    }
    rest.ends_with(last.as_str())
}

#[cfg(test)]
mod tests {
    use super::matches;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_is_left_out_matches_anything() {
        let recorded = lines("a\n[2 more lines left out]\nz: [same]\n[help, 9 lines]");
        assert!(matches(&recorded, &lines("a\nb\nc\nz: what\nusage"), false));
        assert!(matches(&recorded, &lines("a\nz: "), false));
        assert!(!matches(&recorded, &lines("a\nb\nz"), false));
        assert!(!matches(&lines("a\nb"), &lines("b\na"), false));
        assert!(matches(&lines("a\nb"), &lines("b\na"), true));
        assert!(!matches(&lines("a\nb"), &lines("b\na\nc"), true));
    }
}
