use ottla_client::admin::Feature;

use super::*;

/// As recorded from Apache Kafka 4.3.1.
#[test]
fn features_are_rows() {
    let feature = |supported, finalized| Feature { supported, finalized };
    let features = Features {
        features: BTreeMap::from([
            ("metadata.version".to_owned(), feature((7, 30), 30)),
            ("group.version".to_owned(), feature((0, 1), 1)),
        ]),
        epoch: Some(112),
    };
    assert_eq!(
        description(&features),
        "Feature: group.version                             SupportedMinVersion: 0                \
         SupportedMaxVersion: 1                FinalizedVersionLevel: 1                Epoch: 112\n\
         Feature: metadata.version                          SupportedMinVersion: 3.3-IV3          \
         SupportedMaxVersion: 4.3-IV0          FinalizedVersionLevel: 4.3-IV0          Epoch: 112\n"
    );
}

/// As recorded from Apache Kafka 4.3.1.
#[test]
fn releases_set_levels() {
    assert_eq!(
        releases::mapping(Some("4.0")).unwrap(),
        "metadata.version=25 (4.0)\nkraft.version=1\ntransaction.version=2\ngroup.version=1\n\
         eligible.leader.replicas.version=0\nshare.version=0\nstreams.version=0\n"
    );
    assert!(releases::mapping(None).unwrap().starts_with("metadata.version=30 (4.3-IV0)\n"));
    let unknown = releases::mapping(Some("9.9")).unwrap_err();
    assert!(
        unknown.starts_with("Unknown metadata.version '9.9'. Supported metadata.version are: 3.3")
    );
    assert!(unknown.ends_with("4.3-IV0, 4.4-IV0"), "{unknown}");
}

fn wanted(change: Change, line: &str) -> Result<BTreeMap<String, i16>, String> {
    let args: Vec<_> = line.split_whitespace().map(OsString::from).collect();
    levels(change, &argparse::parse(PARSER, &args).unwrap())
}

/// As recorded from Apache Kafka 4.3.1.
#[test]
fn wrong_levels_are_refused_as_by_kafka() {
    let asked = |rest: &str| wanted(Change::Upgrade, &format!("upgrade {rest}")).unwrap_err();
    assert_eq!(asked(""), "You must specify at least one feature to upgrade");
    assert_eq!(
        asked("--feature transaction.version"),
        "Can't parse feature=level string transaction.version: equals sign not found."
    );
    assert_eq!(
        asked("--feature transaction.version=x"),
        "Can't parse feature=level string transaction.version=x: unable to parse x as a short."
    );
    let disabled = wanted(Change::Disable, "disable --feature share.version").unwrap();
    assert_eq!(disabled, BTreeMap::from([("share.version".to_owned(), 0)]));
}
