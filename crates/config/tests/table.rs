//! THE table is consistent with itself and with docs/configuration.md.

use std::collections::BTreeSet;
use std::path::Path;

use ottla_config::keys::{self, Bounds, Key, Kind, Stance};
use ottla_config::{docs, validate_topic_config};

#[test]
fn every_part_is_sorted_and_no_name_stands_twice() {
    for (title, keys) in keys::GROUPS {
        for pair in keys.windows(2) {
            assert!(pair[0].name < pair[1].name, "{title}: {} {}", pair[0].name, pair[1].name);
        }
    }
    let names: BTreeSet<_> = keys::all().map(|key| key.name).collect();
    assert_eq!(names.len(), keys::all().count());
}

#[test]
fn synonyms_are_keys_of_a_node() {
    for key in keys::all() {
        for name in key.synonyms {
            let synonym = keys::find(name).unwrap_or_else(|| panic!("{}: {name}", key.name));
            assert!(synonym.is_node(), "{}: {name}", key.name);
        }
    }
}

fn is_valid_default(key: &Key, text: &str) -> bool {
    match key.kind {
        Kind::Boolean => text == "true" || text == "false",
        Kind::Int => text.parse::<i32>().is_ok(),
        Kind::Short => text.parse::<i16>().is_ok(),
        Kind::Long => text.parse::<i64>().is_ok(),
        Kind::Double => text.parse::<f64>().is_ok(),
        _ => true,
    }
}

#[test]
fn defaults_are_valid_and_a_topics_equals_its_brokers() {
    for key in keys::all() {
        for text in [key.default, key.kafka_default].into_iter().flatten() {
            assert!(is_valid_default(key, text), "{}={text}", key.name);
            if key.is_topic() {
                assert_eq!(validate_topic_config(key.name, text), Ok(()), "{}", key.name);
            }
        }
        if let (true, Some(first)) = (key.is_topic(), key.synonyms.first()) {
            let broker = keys::find(first).expect("checked above");
            if let Some(default) = broker.default {
                assert_eq!(key.default, Some(default), "{} and {first}", key.name);
            }
            assert_eq!(key.kind, broker.kind, "{} and {first}", key.name);
        }
    }
}

#[test]
fn only_min_insync_replicas_has_a_computed_default_for_topics() {
    let computed: Vec<_> =
        keys::all().filter(|key| key.is_topic() && key.default.is_none()).collect();
    assert_eq!(computed.len(), 1);
    assert_eq!(computed[0].name, "min.insync.replicas");
}

#[test]
fn every_key_says_what_it_means() {
    for key in keys::all() {
        assert!(key.doc.len() > 10 && key.doc.ends_with('.'), "{}", key.name);
        if let Stance::Refused(reason) = key.stance {
            assert!(!reason.is_empty());
        }
        if let Bounds::Between(least, most) = key.bounds {
            assert!(least < most);
        }
    }
}

#[test]
fn removed_keys_are_no_keys() {
    for removed in keys::REMOVED {
        assert!(keys::find(removed.name).is_none(), "{}", removed.name);
    }
    assert!(keys::removed("zookeeper.connect").is_some());
    assert!(keys::removed("zookeeperish").is_none());
}

/// The committed page is what the table says. `UPDATE_DOCS=1 cargo test -p ottla-config` writes it.
#[test]
fn the_configuration_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = docs::render();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("the page is writable");
    }
    let committed = std::fs::read_to_string(&path).expect("docs/configuration.md");
    let hint = "run UPDATE_DOCS=1 cargo test -p ottla-config --test table";
    assert!(committed == page, "docs/configuration.md is not what the table says: {hint}");
}
