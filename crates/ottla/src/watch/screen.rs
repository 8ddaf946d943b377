//! The live view of a terminal: the state above, the last changes below it.

use std::collections::VecDeque;
use std::io::{self, Write};

/// Changes that are kept for a screen that grows.
const REMEMBERED: usize = 200;
/// When the terminal does not say how large it is.
const DEFAULT_ROWS: usize = 24;
const DEFAULT_COLUMNS: usize = 80;
/// At least so many rows go to the changes.
const MIN_CHANGES: usize = 5;

/// The terminal's other screen, left again on drop.
pub(super) struct Screen {
    changes: VecDeque<String>,
}

impl Screen {
    pub(super) fn enter() -> Self {
        // Alternate screen, cursor hidden. A terminal that cannot is no worse off.
        let _ = io::stdout().write_all(b"\x1b[?1049h\x1b[?25l");
        Self { changes: VecDeque::new() }
    }

    pub(super) fn remember(&mut self, line: String) {
        if self.changes.len() == REMEMBERED {
            self.changes.pop_front();
        }
        self.changes.push_back(line);
    }

    pub(super) fn draw(&mut self, state: &[String]) -> io::Result<()> {
        let (rows, columns) = size();
        let text = layout(state, &self.changes, rows, columns);
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut out = io::stdout().lock();
        let _ = out.write_all(b"\x1b[?25h\x1b[?1049l");
        // What was seen stays in the scrollback.
        for line in &self.changes {
            let _ = writeln!(out, "{line}");
        }
    }
}

fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => {
            (usize::from(size.ws_row), usize::from(size.ws_col))
        }
        _ => (DEFAULT_ROWS, DEFAULT_COLUMNS),
    }
}

/// One screenful: each line cut to the width and cleared to its end.
fn layout(state: &[String], changes: &VecDeque<String>, rows: usize, columns: usize) -> String {
    let for_state = state.len().min(rows.saturating_sub(MIN_CHANGES + 2));
    let mut lines: Vec<String> = state[..for_state].to_vec();
    if for_state < state.len() {
        let hidden = state.len() - for_state + 1;
        lines.pop();
        lines.push(format!("… {hidden} more lines: a larger window or --topic shows them"));
    }
    lines.push(String::new());
    let room = rows.saturating_sub(lines.len() + 1);
    let first = changes.len().saturating_sub(room);
    lines.extend(changes.iter().skip(first).cloned());
    let mut text = String::from("\x1b[H");
    for line in lines {
        text.extend(line.chars().take(columns));
        text.push_str("\x1b[K\r\n");
    }
    text.push_str("\x1b[J");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screenful_never_exceeds_the_terminal() {
        let state: Vec<_> = (0..100).map(|n| format!("partition {n} {}", "x".repeat(99))).collect();
        let changes: VecDeque<_> = (0..100).map(|n| format!("change {n}")).collect();
        let text = layout(&state, &changes, 20, 40);
        assert!(text.matches("\r\n").count() < 20, "{text}");
        assert!(text.contains("change 99") && text.contains("more lines"), "{text}");
        assert!(!text.contains("change 50"), "{text}");
    }
}
