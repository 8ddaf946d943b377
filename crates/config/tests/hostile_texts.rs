//! Texts from anywhere: parsing and resolving ends in settings or in a sentence, never in a panic.

use ottla_config::{NodeConfig, Properties, keys, validate_broker_configs, validate_topic_config};
use proptest::prelude::*;

proptest! {
    #[test]
    fn properties_never_panic(text in "[a-z=:\\\\u0-9# \n\r\t\u{e9}]{0,80}") {
        let _ = Properties::parse(&text);
    }

    #[test]
    fn plain_properties_come_back(pairs in prop::collection::btree_map("[a-z.]{1,10}", "[a-z0-9/,:@]{0,20}", 0..8)) {
        let text: String = pairs.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        // A value's first colon would stand for the separator.
        prop_assume!(pairs.values().all(|value| !value.starts_with(':')));
        let parsed = Properties::parse(&text).expect("plain properties");
        prop_assert_eq!(parsed.values(), &pairs);
    }

    #[test]
    fn any_value_of_any_key_is_taken_or_refused(
        index in 0usize..400,
        value in "[A-Za-z0-9:/@,.\\[\\]* -]{0,40}",
    ) {
        let all: Vec<_> = keys::all().collect();
        let name = all[index % all.len()].name;
        let _ = validate_topic_config(name, &value);
        let _ = validate_broker_configs(std::iter::once((name, value.as_str())), true);
        let properties: Properties = [(name, value.as_str())].into_iter().collect();
        if let Err(error) = NodeConfig::resolve(&properties) {
            prop_assert!(!error.key.is_empty());
            prop_assert!(error.to_string().contains(' '));
        }
    }

    #[test]
    fn listeners_never_panic(
        listeners in "([A-Z]{0,3}:?/?/?[a-z0-9:\\[\\].]{0,12},?){0,3}",
        advertised in "([A-Z]{0,3}:?/?/?[a-z0-9:\\[\\].]{0,12},?){0,3}",
        voters in "([0-9]{0,2}@?[a-z:\\[\\]]{0,6}:?[0-9]{0,5},?){0,3}",
    ) {
        let properties: Properties = [
            ("listeners", listeners.as_str()),
            ("advertised.listeners", advertised.as_str()),
            ("controller.quorum.voters", voters.as_str()),
            ("listener.security.protocol.map", "A:PLAINTEXT,B:PLAINTEXT"),
        ]
        .into_iter()
        .collect();
        let _ = NodeConfig::resolve(&properties);
    }
}
