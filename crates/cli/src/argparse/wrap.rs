//! Lines of limited width, stretched to it by wider gaps between words, as argparse4j sets its texts. Pure.

/// Columns of a line.
const WIDTH: usize = 75;

/// Where a text begins and how its further lines are indented, in columns.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Line {
    pub(super) offset: usize,
    pub(super) indent: usize,
}

/// Breaks a text; every line but the last of a paragraph is stretched.
pub(super) fn wrap(text: &str, line: Line) -> String {
    let indent = " ".repeat(line.indent);
    let mut done = String::new();
    let mut current = String::new();
    let mut width = line.offset;
    for piece in pieces(text) {
        let piece_width = piece.chars().count();
        if width + piece_width > WIDTH {
            done += &stretched(&current, width);
            done.push('\n');
            done += &indent;
            current.clear();
            width = line.indent;
        }
        width += piece_width;
        current += piece;
        if piece.ends_with('\n') {
            done += &current;
            done += &indent;
            current.clear();
            width = line.indent;
        }
    }
    done + &current
}

/// A line without the blanks around it, with as many more between its words as fill it up; what does not
/// go round goes to the gaps in the middle. `width` is what it takes with the blanks around it.
fn stretched(line: &str, width: usize) -> String {
    let trimmed = line.trim_matches(' ');
    let width = width - (line.len() - trimmed.len());
    let words: Vec<&str> = trimmed.split_inclusive(' ').collect();
    // A gap of several blanks is one gap.
    let is_gap =
        |place: usize| words.get(place).is_some_and(|word| word.len() > 1 && word.ends_with(' '));
    let gaps = (0..words.len()).filter(|place| is_gap(*place)).count();
    if gaps == 0 {
        return trimmed.to_owned();
    }
    let more = WIDTH.saturating_sub(width);
    let (each, rest) = (more / gaps, more % gaps);
    let first = (gaps - rest).div_ceil(2);
    let mut text = String::new();
    let mut gap = 0;
    for (place, word) in words.iter().enumerate() {
        text += word;
        if is_gap(place) {
            let one_more = usize::from((first..first + rest).contains(&gap));
            text += &" ".repeat(each + one_more);
            gap += 1;
        }
    }
    text
}

/// The text cut wherever a line may end: behind blanks, and inside of words behind hyphens and stops.
fn pieces(text: &str) -> Vec<&str> {
    let letters: Vec<(usize, char)> = text.char_indices().collect();
    let at = |place: usize| letters.get(place).map(|(_, letter)| *letter);
    let mut pieces = Vec::new();
    let mut start = 0;
    for place in 1..letters.len() {
        let (Some(before), Some(after)) = (at(place - 1), at(place)) else { break };
        let earlier = place.checked_sub(2).and_then(at);
        if breaks(earlier, before, after)
            && let Some((index, _)) = letters.get(place)
        {
            pieces.extend(text.get(start..*index));
            start = *index;
        }
    }
    pieces.extend(text.get(start..).filter(|rest| !rest.is_empty()));
    pieces
}

fn breaks(earlier: Option<char>, before: char, after: char) -> bool {
    let earlier_is = |test: fn(char) -> bool| earlier.is_some_and(test);
    match (before, after) {
        (_, ' ' | '\n') => false,
        (' ' | '\n', _) => true,
        ('-', after) => {
            let number = after.is_ascii_digit() && !earlier_is(char::is_alphanumeric);
            after.is_alphanumeric() && !number
        }
        (':', '/' | '\\') => true,
        ('.' | ',' | ':', after) if after.is_ascii_digit() => {
            !earlier_is(|letter| letter.is_ascii_digit())
        }
        ('.' | ',' | ':' | ';' | '!' | '?' | '%' | ')' | ']', after) => after.is_alphanumeric(),
        ('"', after) => after.is_alphanumeric() && earlier_is(char::is_alphanumeric),
        (before, '(' | '[') => before.is_alphanumeric(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn lines_may_end_where_javas_do() {
        let text =
            "argument --bootstrap-server/-b kraft.version=1 a:b -5 5-a 1.5 a(b)c http://x:9 a,b";
        assert_eq!(
            pieces(text),
            [
                "argument ",
                "--",
                "bootstrap-",
                "server/-",
                "b ",
                "kraft.",
                "version=1 ",
                "a:",
                "b ",
                "-5 ",
                "5-",
                "a ",
                "1.5 ",
                "a",
                "(b)",
                "c ",
                "http:",
                "//x:",
                "9 ",
                "a,",
                "b"
            ]
        );
    }
}
