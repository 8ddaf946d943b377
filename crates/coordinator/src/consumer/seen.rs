//! When a group last looked at the cluster's metadata: so that it does once per change, not once per
//! heartbeat.

use std::sync::Arc;

use ottla_metadata::Image;
use ottla_protocol::ids::{MetadataOffset, TimestampMs};

use super::config::Config;
use super::draft::Draft;
use super::metadata_hash::Hashed;
use crate::GroupName;
use crate::settings::Settings;

/// Expressions are looked up again at most this often, however often topics come and go.
const REGEX_MIN_INTERVAL_MS: i64 = 10_000;

/// What a group has seen. Not a record: after a move of the coordinator each group looks once again.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// The group's configuration, and the image that it is of.
    config: Option<(MetadataOffset, Arc<Config>)>,
    /// The image that the group's metadata hash was compared with.
    image: MetadataOffset,
    /// The group's epoch after that. If the group's is smaller, a write has failed: it did not happen.
    epoch: i32,
    /// The image in which the expressions were last looked up.
    regex_image: MetadataOffset,
    /// When they were.
    regex_ms: TimestampMs,
    /// The last hash of the subscribed topics.
    pub(super) hashed: Option<Arc<Hashed>>,
}

/// What a request has changed of the group's members.
#[derive(Debug, Clone, Copy)]
pub(super) struct Changes {
    /// Somebody subscribes to something else.
    pub(super) subscription: bool,
    /// Another assignor is wanted.
    pub(super) assignor: bool,
}

impl Seen {
    /// The group's configuration.
    pub(super) fn config(
        &mut self,
        settings: &Settings,
        image: &Image,
        group: &GroupName,
    ) -> Arc<Config> {
        match &self.config {
            Some((offset, config)) if *offset == image.offset() => Arc::clone(config),
            _ => {
                let config = Arc::new(Config::of(settings, image, group));
                self.config = Some((image.offset(), Arc::clone(&config)));
                config
            }
        }
    }

    /// Begins a new group epoch if members, expressions or the subscribed topics have changed.
    pub(super) fn refresh(&mut self, draft: &mut Draft, changes: Changes) {
        let image = draft.image.offset();
        let undone = draft.group().epoch() < self.epoch;
        let regexes_changed = self.refresh_regexes(draft, undone);
        let bump = changes.subscription || changes.assignor || regexes_changed;
        if !bump && !undone && self.image == image {
            return;
        }
        let hash = draft.metadata_hash();
        if bump || hash != draft.group().metadata_hash() {
            draft.bump_epoch(hash);
        }
        self.image = image;
        self.epoch = draft.group().epoch();
    }

    fn refresh_regexes(&mut self, draft: &mut Draft, undone: bool) -> bool {
        let group = draft.group();
        if group.regexes().next().is_none() && group.resolved_regexes().next().is_none() {
            return false;
        }
        let image = draft.image.offset();
        let age_ms = draft.now_ms.saturating_sub(self.regex_ms);
        let refresh = undone
            || age_ms >= i64::from(draft.config.regex_refresh_interval_ms)
            || (self.regex_image != image && age_ms >= REGEX_MIN_INTERVAL_MS);
        if refresh {
            self.regex_image = image;
            self.regex_ms = draft.now_ms;
        }
        draft.resolve_regexes(refresh)
    }
}
