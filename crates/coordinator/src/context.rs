//! What every decision uses: the time, the settings, the image, both states, timers, and where records and
//! answers go.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use ottla_metadata::Image;
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::TimestampMs;

use crate::GroupName;
use crate::error::GroupError;
use crate::offsets::Offsets;
use crate::record::Record;
use crate::request::{Answer, Effect, Response, Token, WriteId};
use crate::rng::Rng;
use crate::settings::Settings;
use crate::state::State;
use crate::timers::Timers;

/// What becomes of a write.
#[derive(Debug)]
pub(crate) enum Then {
    /// A client is answered: as given if the write is committed, else that it was not stored.
    Answer { token: Token, response: Box<Answer> },
    /// Something of a classic group.
    Classic(crate::classic::Then),
    /// Something of a consumer group.
    Consumer(crate::consumer::Then),
}

/// Records on their way.
#[derive(Debug)]
struct Write {
    id: WriteId,
    records: Vec<Record>,
    then: Vec<Then>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Context {
    /// The time of this step; never goes back.
    pub(crate) now_ms: TimestampMs,
    pub(crate) settings: Arc<Settings>,
    pub(crate) image: Arc<Image>,
    pub(crate) rng: Rng,
    pub(crate) timers: Timers,
    /// Of committed records: what reads see.
    pub(crate) committed: State,
    /// With the records that are on their way: what decisions see.
    pub(crate) planned: State,
    pub(crate) offsets: Offsets,
    in_flight: VecDeque<Write>,
    last_write: WriteId,
    /// A write has failed since `planned` was last right.
    planned_is_stale: bool,
    /// The last write on its way that changes a group itself, not its offsets.
    changing: HashMap<GroupName, WriteId>,
    effects: Vec<Effect>,
}

impl Context {
    pub(crate) fn new(settings: Arc<Settings>, image: Arc<Image>, seed: u64) -> Self {
        Self {
            now_ms: 0,
            settings,
            image,
            rng: Rng::new(seed),
            timers: Timers::default(),
            committed: State::default(),
            planned: State::default(),
            offsets: Offsets::default(),
            in_flight: VecDeque::new(),
            last_write: 0,
            planned_is_stale: false,
            changing: HashMap::new(),
            effects: Vec::new(),
        }
    }

    /// Answers at once. Only for what depends on no record that is not committed.
    pub(crate) fn respond(&mut self, token: Token, response: Answer) {
        self.effects.push(Effect::Respond { token, response });
    }

    /// Refuses at once.
    pub(crate) fn refuse(&mut self, token: Token, error: GroupError) {
        self.respond(token, Err(error));
    }

    /// Answers when everything that was decided about the group so far is committed: at once if nothing
    /// of it is on its way.
    pub(crate) fn respond_after_group(&mut self, group: &str, token: Token, response: Answer) {
        let write = self.changing.get(group).and_then(|id| {
            let place = self.in_flight.binary_search_by_key(id, |write| write.id).ok()?;
            self.in_flight.get_mut(place)
        });
        match write {
            Some(write) => write.then.push(Then::Answer { token, response: Box::new(response) }),
            None => self.respond(token, response),
        }
    }

    /// Appends records together and plans on with them; `response` leaves when they are committed.
    pub(crate) fn append_and_respond(
        &mut self,
        records: Vec<Record>,
        token: Token,
        response: Response,
    ) {
        self.append(records, vec![Then::Answer { token, response: Box::new(Ok(response)) }]);
    }

    /// Appends records, at least one, together and plans on with them.
    pub(crate) fn append(&mut self, records: Vec<Record>, then: Vec<Then>) {
        debug_assert!(!records.is_empty(), "a write has a record");
        self.last_write += 1;
        let id = self.last_write;
        self.plan(id, &records);
        self.effects.push(Effect::Append { write: id, records: records.clone() });
        self.in_flight.push_back(Write { id, records, then });
    }

    fn plan(&mut self, id: WriteId, records: &[Record]) {
        for record in records {
            self.planned.replay(record);
            self.offsets.plan(id, record);
            if !matches!(record, Record::Offset { .. }) {
                self.changing.insert(Arc::clone(record.group()), id);
            }
        }
    }

    /// A record that was committed before the machine began.
    pub(crate) fn load(&mut self, record: &Record) {
        self.committed.replay(record);
        self.offsets.load(record);
    }

    /// What was loaded is what there is.
    pub(crate) fn loaded(&mut self) {
        self.planned = self.committed.clone();
    }

    /// Takes the next write up to `write` into the committed state, and says what follows from it.
    pub(crate) fn commit_next(&mut self, write: WriteId) -> Option<Vec<Then>> {
        let write = self.in_flight.pop_front_if(|first| first.id <= write)?;
        for record in &write.records {
            self.committed.replay(record);
            self.offsets.commit(write.id, record);
            if self.changing.get(record.group()) == Some(&write.id) {
                self.changing.remove(record.group());
            }
        }
        if self.in_flight.is_empty() {
            // The same by now: so that both share all they have.
            self.planned = self.committed.clone();
        }
        Some(write.then)
    }

    /// Forgets a write that was refused, and says who waited for it.
    pub(crate) fn fail(&mut self, write: WriteId) -> Vec<Then> {
        let Ok(place) = self.in_flight.binary_search_by_key(&write, |write| write.id) else {
            return Vec::new();
        };
        self.planned_is_stale = true;
        self.in_flight.remove(place).map(|write| write.then).unwrap_or_default()
    }

    /// After failures: plans anew on what is committed and what is still on its way. Done once, however
    /// many writes fail together.
    pub(crate) fn replan(&mut self) {
        if !std::mem::take(&mut self.planned_is_stale) {
            return;
        }
        self.planned = self.committed.clone();
        self.offsets.forget_plans();
        self.changing.clear();
        let in_flight = std::mem::take(&mut self.in_flight);
        for write in &in_flight {
            self.plan(write.id, &write.records);
        }
        self.in_flight = in_flight;
    }

    /// What a client hears when its write was refused.
    pub(crate) fn refuse_write(&mut self, token: Token, code: ErrorCode) {
        self.refuse(token, GroupError::NotStored(code));
    }

    pub(crate) fn take_effects(&mut self, effects: &mut Vec<Effect>) {
        effects.append(&mut self.effects);
    }
}
