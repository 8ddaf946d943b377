//! The result, as text and as JSON.

use std::fmt::Write as _;

use super::gaps::{Gap, median};
use super::ledger::{Culprit, Findings};

/// How many culprits of a kind the text lists.
const LISTED: usize = 10;

/// The result of a run.
#[derive(Debug, Clone)]
pub(super) struct Report {
    pub(super) topic: String,
    pub(super) partitions: usize,
    pub(super) seconds: f64,
    pub(super) findings: Findings,
    pub(super) longest_gap: Gap,
    /// After each run of the kill command.
    pub(super) gaps_after_kills: Vec<Gap>,
}

impl Report {
    pub(super) fn is_clean(&self) -> bool {
        self.findings.is_clean()
    }

    /// One object: counts under the names of the text, then details.
    pub(super) fn json(&self) -> String {
        let Self { findings, longest_gap, .. } = self;
        let object = serde_json::json!({
            "topic": self.topic,
            "partitions": self.partitions,
            "seconds": self.seconds,
            "sent": findings.sent,
            "acked": findings.acked,
            "refused": findings.refused,
            "unknown": findings.unknown,
            "read": findings.read,
            "lost": findings.lost.len(),
            "duplicated": findings.duplicated.len(),
            "reordered": findings.reordered.len(),
            "moved": findings.moved.len(),
            "refused_but_read": findings.refused_but_read.len(),
            "longest_gap_ms": longest_gap.ms,
            "longest_gap_from_ms": longest_gap.from_ms,
            "gaps_after_kills": self.gaps_after_kills,
            "culprits": {
                "lost": findings.lost,
                "duplicated": findings.duplicated,
                "reordered": findings.reordered,
                "moved": findings.moved,
                "refused_but_read": findings.refused_but_read,
            },
        });
        object.to_string()
    }

    pub(super) fn text(&self) -> String {
        let Self { findings, longest_gap, .. } = self;
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<18}{value}");
        };
        line("topic", format!("{} ({} partitions)", self.topic, self.partitions));
        line("sent", format!("{} in {:.1} s", findings.sent, self.seconds));
        line("acked", findings.acked.to_string());
        if findings.refused > 0 {
            line("refused", findings.refused.to_string());
        }
        if findings.unknown > 0 {
            line("unknown", format!("{} (neither lost nor failed)", findings.unknown));
        }
        line("read", findings.read.to_string());
        line("lost", findings.lost.len().to_string());
        line("duplicated", findings.duplicated.len().to_string());
        line("reordered", findings.reordered.len().to_string());
        if !findings.moved.is_empty() {
            line("moved", findings.moved.len().to_string());
        }
        if !findings.refused_but_read.is_empty() {
            line("refused, yet read", findings.refused_but_read.len().to_string());
        }
        line(
            "longest gap",
            format!("{:.0} ms at {:.1} s", longest_gap.ms, longest_gap.from_ms / 1000.0),
        );
        if let Some(median) = median(&self.gaps_after_kills) {
            let longest = self.gaps_after_kills.iter().map(|gap| gap.ms).fold(0.0, f64::max);
            let kills = self.gaps_after_kills.len();
            line(
                "after each kill",
                format!("{kills} kills: p50 {median:.0} ms, max {longest:.0} ms"),
            );
        }
        for (kind, culprits) in [
            ("lost", &findings.lost),
            ("duplicated", &findings.duplicated),
            ("reordered", &findings.reordered),
            ("moved", &findings.moved),
            ("refused, yet read", &findings.refused_but_read),
        ] {
            list(&mut text, kind, culprits);
        }
        text
    }
}

fn list(text: &mut String, kind: &str, culprits: &[Culprit]) {
    for culprit in culprits.iter().take(LISTED) {
        let Culprit { sequence, partition, offset } = culprit;
        let _ = writeln!(text, "{kind}: record {sequence}, partition {partition}, offset {offset}");
    }
    if culprits.len() > LISTED {
        let _ = writeln!(text, "{kind}: ... and {} more", culprits.len() - LISTED);
    }
}
