//! How far long work has come, on stderr where that is a terminal; nothing anywhere else.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// One line that is drawn over and over, and gone at the end.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Work without a measure; drawn anew at each [`Progress::say`].
    #[must_use]
    pub fn spinner(what: &str) -> Self {
        Self::styled(ProgressBar::new_spinner(), "{spinner} {msg}").saying(what)
    }

    /// Work of `length` steps.
    #[must_use]
    pub fn bar(length: u64, what: &str) -> Self {
        Self::styled(ProgressBar::new(length), "{bar:30} {pos}/{len} {msg}").saying(what)
    }

    fn styled(bar: ProgressBar, template: &str) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if !std::io::stderr().is_terminal() || dumb {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    fn saying(self, what: &str) -> Self {
        self.0.set_message(what.to_owned());
        self.0.tick();
        self
    }

    /// Draws anew from time to time by itself, until it is done.
    #[must_use]
    pub fn beating(self) -> Self {
        if !self.0.is_hidden() {
            self.0.enable_steady_tick(Duration::from_millis(100));
        }
        self
    }

    /// Changes the text.
    pub fn say(&self, what: String) {
        self.0.set_message(what);
        self.0.tick();
    }

    /// So many steps are done.
    pub fn at(&self, position: u64) {
        self.0.set_position(position);
    }

    /// Takes the line away.
    pub fn done(self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
