//! docs/configuration.md, written from THE table.

use std::fmt::Write;

use crate::keys::{self, Bounds, Dynamic, Key, Scope, Stance};

/// The whole page.
#[must_use]
pub fn render() -> String {
    let mut page = String::from(HEAD);
    for (title, keys) in keys::GROUPS {
        let _ = write!(page, "\n## {title}\n\n{TABLE_HEAD}");
        for key in *keys {
            let _ = writeln!(page, "{}", row(key));
        }
    }
    page.push_str(REMOVED_HEAD);
    for key in keys::REMOVED {
        let star = if key.name.ends_with('.') { "*" } else { "" };
        let _ = writeln!(page, "| `{}{star}` | {} |", key.name, key.instead);
    }
    page
}

const HEAD: &str = "\
# Configuration

Written from the table in `crates/config` by its tests; change the table, not this page.

A node takes its settings from a `server.properties` file and from the environment, which wins:
`KAFKA_NUM_PARTITIONS` (or `KAFKA_CFG_NUM_PARTITIONS`) is `num.partitions`, `__` stands for `_`, `___`
for `-`, and `CLUSTER_ID` is `cluster.id`. Unknown keys are named at start and have no effect, nor do
the keys marked *no effect*. *Restart* means that only a restart of the node changes the key, *cluster*
that it can be changed for all brokers while they run. Topics' own settings can always be changed.
";

const TABLE_HEAD: &str = "\
| Key | Type | Default | Allowed | Change | Meaning |
|---|---|---|---|---|---|
";

const REMOVED_HEAD: &str = "
## Removed in Kafka 4.0

| Key | Instead |
|---|---|
";

fn row(key: &Key) -> String {
    let default = match key.default {
        None => String::new(),
        Some("") => "(empty)".to_owned(),
        Some(text) => format!("`{text}`"),
    };
    let kafkas = key.kafka_default.map(|text| format!("(Kafka: `{text}`)")).unwrap_or_default();
    let default = [default, kafkas].join(" ").trim().to_owned();
    let change = match key.dynamic {
        _ if key.scope == Scope::Topic => "topic",
        _ if key.scope == Scope::Group => "group",
        _ if key.scope == Scope::ClientMetrics => "subscription",
        _ if key.scope == Scope::TopicAndBroker => "topic, cluster",
        Dynamic::ReadOnly | Dynamic::PerBroker => "restart",
        Dynamic::ClusterWide => "cluster",
    };
    let mut doc = key.doc.replace('|', "\\|");
    if let Some((last, rest)) = key.synonyms.split_last() {
        let what =
            if key.is_topic() || key.is_group() { "The brokers' default is" } else { "Else" };
        let rest = rest.iter().fold(String::new(), |text, name| format!("{text}`{name}`, else "));
        let _ = write!(doc, " {what} {rest}`{last}`.");
    }
    match key.stance {
        Stance::Honoured => {}
        Stance::WithoutEffect => doc.push_str(" *No effect.*"),
        Stance::Refused(reason) => {
            let _ = write!(doc, " *Refused: {reason}.*");
        }
    }
    let kind = key.kind.name().to_lowercase();
    let allowed = allowed(key.bounds);
    format!("| `{}` | {kind} | {default} | {allowed} | {change} | {doc} |", key.name)
}

fn allowed(bounds: Bounds) -> String {
    match bounds {
        Bounds::Any => String::new(),
        Bounds::AtLeast(least) => format!("≥ {least}"),
        Bounds::Between(least, most) => format!("{least} to {most}"),
        Bounds::Fraction(least, most) => format!("{least} to {most}"),
        Bounds::Level(plain, least, most) => format!("{plain}, {least} to {most}"),
        Bounds::OneOf(values) | Bounds::EachOf(values) => values.join(", "),
        Bounds::OffsetReset => "earliest, latest, `by_duration:…`".to_owned(),
        Bounds::CountsByAddress => "`address:count`, …".to_owned(),
        Bounds::ThrottledReplicas => "`*` or `partition:broker`, …".to_owned(),
        Bounds::NotEnabled(_) => "false".to_owned(),
    }
}
