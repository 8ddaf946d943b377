//! What a command has to say when it is done.

use serde_json::{Value, json};

/// The same in words and as one JSON object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    pub(super) words: String,
    pub(super) json: Value,
}

impl Said {
    /// About one node, by the state that it is in now.
    pub(super) fn of_node(id: i32, state: &str, words: String) -> Self {
        Self { words, json: json!({ "node": id, "state": state }) }
    }

    pub(super) fn print(&self, as_json: bool) {
        if as_json {
            say!("{}", self.json);
        } else {
            say!("{}", self.words);
        }
    }
}
