//! What the configuration says about one consumer group.

use std::sync::Arc;

use ottla_config::{GroupConfig, Layers};
use ottla_metadata::{ConfigResource, Image};

use crate::GroupName;
use crate::assignor::Assignor;
use crate::settings::Settings;

/// Which way groups may change their protocol while they have members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MigrationPolicy {
    /// A classic group becomes a consumer group when the first member of that protocol joins.
    pub(super) upgrade: bool,
    /// A consumer group becomes a classic group when the last member of its protocol leaves.
    pub(super) downgrade: bool,
}

impl MigrationPolicy {
    fn of(name: &str) -> Self {
        let is = |word: &str| name.eq_ignore_ascii_case(word);
        let both = is("bidirectional");
        Self { upgrade: both || is("upgrade"), downgrade: both || is("downgrade") }
    }
}

/// What the configuration says about one consumer group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Config {
    /// After how long silence a member is out.
    pub(super) session_timeout_ms: i32,
    /// How often members shall say that they live.
    pub(super) heartbeat_interval_ms: i32,
    /// How long a target assignment stands at least (KIP-1263).
    pub(super) assignment_interval_ms: i32,
    /// How often expressions are looked up again though no topic has come or gone.
    pub(super) regex_refresh_interval_ms: i32,
    /// The most members of a consumer group.
    pub(super) max_size: i32,
    /// The most members of a classic group.
    pub(super) classic_max_size: i32,
    /// The assignors that members may ask for; the first is for those who do not.
    pub(super) assignors: Vec<Assignor>,
    /// Whether groups change their protocol.
    pub(super) migration: MigrationPolicy,
}

impl Config {
    /// The configuration of a group: its own, the cluster's dynamic defaults, the node's.
    pub(super) fn of(settings: &Settings, image: &Image, group: &GroupName) -> Self {
        let node = &settings.node;
        let own = Some(image.config(&ConfigResource::Group(Arc::clone(group))));
        let layers = Layers { own, ..image.broker_layers(node.node_id, &node.static_values) };
        let int = |name: &str, default: i32| {
            layers.text(name).and_then(|text| text.trim().parse().ok()).unwrap_or(default)
        };
        let assignors = layers.text("group.consumer.assignors").unwrap_or_default();
        let mut assignors: Vec<_> =
            assignors.split(',').filter_map(|name| Assignor::from_name(name.trim())).collect();
        if assignors.is_empty() {
            assignors = Assignor::ALL.to_vec();
        }
        let policy = layers.text("group.consumer.migration.policy");
        let group = GroupConfig::of(&layers);
        Self {
            session_timeout_ms: group.consumer_session_timeout_ms,
            heartbeat_interval_ms: group.consumer_heartbeat_interval_ms,
            assignment_interval_ms: group.consumer_assignment_interval_ms,
            regex_refresh_interval_ms: int("group.consumer.regex.refresh.interval.ms", 600_000),
            max_size: int("group.consumer.max.size", i32::MAX),
            classic_max_size: settings.group_max_size,
            assignors,
            migration: MigrationPolicy::of(policy.as_deref().unwrap_or("bidirectional")),
        }
    }
}
