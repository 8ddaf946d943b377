//! Members of groups: foreign consumers in processes of their own, which tell what they do in the words of
//! Kafka's VerifiableConsumer.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

/// A member's process.
#[derive(Debug)]
pub struct Member {
    child: Child,
    story: Arc<Mutex<Story>>,
    /// Ends when the process has, and all that it told is in the story.
    listener: Option<JoinHandle<()>>,
}

/// What a member has told.
#[derive(Debug, Default, Clone)]
pub struct Story {
    /// Partitions that it owns now.
    pub owned: BTreeSet<i32>,
    /// Offsets that it has consumed, by partition.
    pub consumed: BTreeMap<i32, BTreeSet<i64>>,
    /// The highest offset whose commit was acknowledged, by partition.
    pub committed: BTreeMap<i32, i64>,
    /// Commits that were refused.
    pub refused: Vec<String>,
    /// It has come to its end in order.
    pub shut_down: bool,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
enum Told {
    PartitionsAssigned {
        partitions: Vec<Place>,
    },
    PartitionsRevoked {
        partitions: Vec<Place>,
    },
    RecordsConsumed {
        partitions: Vec<Run>,
    },
    OffsetsCommitted {
        success: bool,
        offsets: Vec<Committed>,
        error: Option<String>,
    },
    ShutdownComplete {},
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Place {
    partition: i32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    partition: i32,
    min_offset: i64,
    max_offset: i64,
}

#[derive(Debug, Deserialize)]
struct Committed {
    partition: i32,
    offset: i64,
}

impl Member {
    /// Starts a member.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("a member starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let story = Arc::new(Mutex::new(Story::default()));
        let listening = Arc::clone(&story);
        let listener = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Ok(told) = serde_json::from_str(&line) {
                    listening.lock().expect("nobody panics with it").take(told);
                }
            }
        });
        Self { child, story, listener: Some(listener) }
    }

    /// kill -9; what it had told.
    pub fn kill(mut self) -> Story {
        self.child.kill().expect("killed");
        self.ended()
    }

    /// Asks it to leave in order, and waits until it has.
    pub fn stop(mut self) -> Story {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("signalled");
        self.ended()
    }

    /// Waits for its end; all that it has told.
    fn ended(&mut self) -> Story {
        self.child.wait().expect("reaped");
        if let Some(listener) = self.listener.take() {
            listener.join().expect("it does not panic");
        }
        self.story.lock().expect("nobody panics with it").clone()
    }

    /// Fails the test if it has ended by itself.
    pub fn assert_alive(&mut self) {
        let ended = self.child.try_wait().expect("waitable");
        assert!(ended.is_none(), "a member ended by itself: {ended:?}");
    }
}

impl Story {
    fn take(&mut self, told: Told) {
        match told {
            Told::PartitionsAssigned { partitions } => {
                self.owned.extend(partitions.iter().map(|it| it.partition));
            }
            Told::PartitionsRevoked { partitions } => {
                for place in partitions {
                    self.owned.remove(&place.partition);
                }
            }
            Told::RecordsConsumed { partitions } => {
                for run in partitions {
                    let consumed = self.consumed.entry(run.partition).or_default();
                    consumed.extend(run.min_offset..=run.max_offset);
                }
            }
            Told::OffsetsCommitted { success: true, offsets, .. } => {
                for Committed { partition, offset } in offsets {
                    let committed = self.committed.entry(partition).or_default();
                    *committed = offset.max(*committed);
                }
            }
            Told::OffsetsCommitted { error, .. } => self.refused.push(error.unwrap_or_default()),
            Told::ShutdownComplete {} => self.shut_down = true,
            Told::Other => {}
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
