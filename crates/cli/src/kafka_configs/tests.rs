use std::ffi::OsString;

use ottla_client::admin::{ConfigEntry, ConfigSource, ConfigSynonym};

use super::added::pairs;
use super::entity::{Entities, EntityType};
use super::options::{Misuse, OPTIONS, check};
use super::{Stop, describe, quotas};
use crate::jopt;

fn checked(line: &str) -> Result<Entities, Misuse> {
    let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
    let given = jopt::parse(OPTIONS, &args).map_err(|error| Misuse::Said(error.to_string()))?;
    check(&given, args.is_empty())
}

fn refused(line: &str) -> String {
    match checked(line) {
        Err(Misuse::Said(message) | Misuse::Usage(message)) => message,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn entities_are_named_in_the_old_way_and_the_new() {
    let server = "--bootstrap-server a:1 --describe ";
    let topic = Entities { types: vec![EntityType::Topics], names: vec!["t".to_owned()] };
    for line in ["--topic t", "--entity-type topics --entity-name t"] {
        assert_eq!(checked(&format!("{server}{line}")), Ok(topic.clone()), "{line}");
    }
    let both = Entities {
        types: vec![EntityType::Users, EntityType::Clients],
        names: vec!["u".to_owned(), String::new()],
    };
    let line = "--entity-type users --entity-name u --entity-type clients --entity-default";
    assert_eq!(checked(&format!("{server}{line}")), Ok(both));
    // By options of their own, names come first, as in Kafka's tool.
    let line = checked(&format!("{server}--user u --client-defaults")).expect("both may be named");
    assert_eq!(line.names, ["u", ""]);
    let defaults = checked(&format!("{server}--broker-defaults")).expect("brokers have defaults");
    assert_eq!(defaults.names, [""]);
}

#[test]
fn wrong_command_lines_are_refused_in_kafkas_words() {
    let server = "--bootstrap-server a:1 ";
    for (line, expected) in [
        ("--describe", "At least one entity type must be specified"),
        (
            "--describe --entity-type topics --entity-default",
            "--entity-default must not be specified with --describe of topics",
        ),
        (
            "--describe --entity-type broker-loggers",
            "An entity name must be specified with --describe of broker-loggers",
        ),
        (
            "--describe --broker x",
            "The entity name for brokers must be a valid integer broker id, but it is: x",
        ),
        (
            "--describe --ip not-an-ip!!",
            "The entity name for ips must be a valid IP or resolvable host, but it is: not-an-ip!!",
        ),
        (
            "--describe --topic a --group b",
            "Only 'users' and 'clients' entity types may be specified together",
        ),
        ("--describe --topic a --entity-type topics", "Duplicate entity type(s) specified: topics"),
        (
            "--describe --topic a --entity-name b",
            "--entity-{type,name,default} should not be used in conjunction with specific entity flags",
        ),
        (
            "--describe --topic a --bootstrap-controller b:1",
            "Only one of --bootstrap-server or --bootstrap-controller can be specified",
        ),
        (
            "--describe --topic a --add-config x=y",
            "Option \"[describe]\" can't be used with option \"[add-config]\"",
        ),
        (
            "--alter --topic a",
            "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter",
        ),
        (
            "--alter --entity-type topics --entity-default --add-config a=b",
            "An entity name must be specified with --alter of topics",
        ),
        (
            "--alter --entity-type brokers --add-config a=b",
            "An entity-name or default entity must be specified with --alter of users, clients, brokers or ips",
        ),
        ("--topic a", "Command must include exactly one action: --describe, --alter"),
        ("--nonsense", "nonsense is not a recognized option"),
    ] {
        assert_eq!(refused(&format!("{server}{line}")), expected, "{line}");
    }
    assert_eq!(
        refused("--describe --broker 1"),
        "Either --bootstrap-server or --bootstrap-controller must be specified."
    );
}

#[test]
fn configs_to_add_are_split_outside_brackets() {
    let owned = |given: &[(&str, &str)]| -> Option<Vec<(String, String)>> {
        Some(given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    };
    assert_eq!(
        pairs("cleanup.policy=[compact,delete],retention.ms = 5 "),
        owned(&[("cleanup.policy", "compact,delete"), ("retention.ms", "5")])
    );
    assert_eq!(
        pairs("match=[client_id=app.*],a=,"),
        owned(&[("match", "client_id=app.*"), ("a", "")])
    );
    assert_eq!(pairs("=1"), owned(&[("", "1")]));
    for wrong in ["retention.ms", "a=b=c", "a=b,c", ""] {
        assert_eq!(pairs(wrong), None, "{wrong}");
    }
}

#[test]
fn a_config_is_one_line_with_all_its_places() {
    let place = |name: &str, value: Option<&str>, source| ConfigSynonym {
        name: name.to_owned(),
        value: value.map(str::to_owned),
        source,
    };
    let mut entry = ConfigEntry {
        name: "max.message.bytes".to_owned(),
        value: Some("2000".to_owned()),
        source: ConfigSource::DynamicTopic,
        sensitive: false,
        read_only: false,
        synonyms: vec![
            place("max.message.bytes", Some("2000"), ConfigSource::DynamicTopic),
            place("message.max.bytes", Some("1048588"), ConfigSource::Default),
        ],
    };
    assert_eq!(
        describe::line(&entry),
        "  max.message.bytes=2000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:max.message.bytes=2000, DEFAULT_CONFIG:message.max.bytes=1048588}\n"
    );
    entry.name = "no.such".to_owned();
    entry.value = None;
    entry.sensitive = true;
    entry.synonyms = vec![place("no.such", None, ConfigSource::DynamicBroker)];
    assert_eq!(
        describe::line(&entry),
        "  no.such=null sensitive=true synonyms={DYNAMIC_BROKER_CONFIG:no.such=null}\n"
    );
}

#[test]
fn quotas_and_credentials_are_checked_before_anybody_is_asked() {
    let sentence = |types: &[EntityType], name: &str, add: &str| {
        let names = vec![name.to_owned(); types.len()];
        let entities = Entities { types: types.to_vec(), names };
        let add = pairs(add).expect("well formed").into_iter().collect();
        let changes = super::added::Changes { add, delete: Vec::new() };
        match quotas::check(&entities, &changes) {
            Ok(()) => String::new(),
            Err(Stop::Said(message)) => message,
            Err(other) => panic!("{other:?}"),
        }
    };
    let users = [EntityType::Users];
    assert_eq!(sentence(&users, "u", "producer_byte_rate=1"), "");
    assert_eq!(sentence(&users, "u", "SCRAM-SHA-256=[iterations=8192,password=secret]"), "");
    for (types, name, add, expected) in [
        (
            &users[..],
            "u",
            "no_such_quota=1",
            "Only quota and SCRAM credential configs can be added for 'users' using --bootstrap-server. Unexpected config names: Set(no_such_quota)",
        ),
        (
            &users,
            "u",
            "SCRAM-SHA-256=[iterations=10,password=secret]",
            "Iterations 10 is less than the minimum 4096 required for SCRAM-SHA-256",
        ),
        (&users, "u", "SCRAM-SHA-256=secret", "Invalid credential property SCRAM-SHA-256=secret"),
        (
            &users,
            "",
            "SCRAM-SHA-256=[password=x]",
            "The use of --entity-default or --user-defaults is not allowed with User SCRAM Credentials using --bootstrap-server.",
        ),
        (
            &[EntityType::Clients],
            "c",
            "x=1",
            "Only quota configs can be added for 'clients' using --bootstrap-server. Unexpected config names: Set(x)",
        ),
        (
            &[EntityType::Ips],
            "i",
            "x=1",
            "Only connection quota configs can be added for 'ips' using --bootstrap-server. Unexpected config names: x",
        ),
    ] {
        assert_eq!(sentence(types, name, add), expected);
    }
}
