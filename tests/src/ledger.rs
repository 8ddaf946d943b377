//! Load with a ledger: librdkafka produces with acks=all and writes down every acknowledgement; at
//! the end it reads everything back and compares.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde::Deserialize;

use crate::foreign;

/// What the ledger and the topic say of each other.
#[derive(Debug, Clone, Deserialize)]
pub struct Report {
    /// Records that were acknowledged.
    pub acked: u64,
    /// Records that the producer gave up.
    pub failed: u64,
    /// Records that could be read back.
    pub read: u64,
    /// Acknowledged, but not there.
    pub lost: u64,
    /// There more than once.
    pub duplicated: u64,
    /// Behind a record that was sent later.
    pub reordered: u64,
    /// Acknowledged with another offset than the one it was read at.
    pub misplaced: u64,
    /// The longest time without an acknowledgement, milliseconds.
    pub longest_gap_ms: f64,
}

impl Report {
    /// Fails the test if anything acknowledged is missing, doubled or out of order, or if nothing
    /// was acknowledged at all.
    pub fn assert_nothing_lost(&self) {
        let faults = (self.lost, self.duplicated, self.reordered, self.misplaced);
        assert_eq!(faults, (0, 0, 0, 0), "lost, duplicated, reordered, misplaced: {self:?}");
        assert!(self.acked > 0 && self.failed == 0, "{self:?}");
    }
}

/// A producer under way.
#[derive(Debug)]
pub struct Ledger {
    child: Child,
    commands: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
}

impl Ledger {
    /// Starts to produce 200 records a second and waits for the first acknowledgement.
    /// `settings` are librdkafka's, such as `request.timeout.ms=1000`.
    #[must_use]
    pub fn start(bootstrap: &str, topic: &str, settings: &[&str]) -> Self {
        let mut child = foreign::python("ledger.py")
            .args([bootstrap, topic])
            .args(settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the ledger starts");
        let commands = child.stdin.take();
        let said = BufReader::new(child.stdout.take().expect("piped"));
        let mut ledger = Self { child, commands, said };
        assert_eq!(ledger.line(), "first acknowledgement");
        ledger
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("the ledger speaks");
        line.trim_end().to_owned()
    }

    /// Waits until `more` records were acknowledged from now on: the cluster works again.
    pub fn wait_for_more(&mut self, more: u64) {
        let commands = self.commands.as_mut().expect("still running");
        writeln!(commands, "{more}").and_then(|()| commands.flush()).expect("the ledger listens");
        assert_eq!(self.line(), "more", "the ledger ended, or waited in vain for acknowledgements");
    }

    /// How many are acknowledged at this moment at least; they stay so whatever happens next.
    pub fn acked(&mut self) -> u64 {
        let commands = self.commands.as_mut().expect("still running");
        writeln!(commands, "acked").and_then(|()| commands.flush()).expect("the ledger listens");
        self.line().parse().expect("a number")
    }

    /// Stops producing, reads everything back, compares.
    #[must_use]
    pub fn finish(mut self) -> Report {
        drop(self.commands.take());
        let mut text = String::new();
        self.said.read_to_string(&mut text).expect("the ledger speaks");
        let status = self.child.wait().expect("waitable");
        assert!(status.success(), "the ledger ended with {status}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
