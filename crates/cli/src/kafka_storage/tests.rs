use std::fs;

use super::*;

#[test]
fn ids_are_of_22_letters() {
    for _ in 0..100 {
        let id = random_id();
        assert_eq!(id.len(), 22);
        assert!(!id.starts_with('-'));
    }
}

/// As recorded from Apache Kafka 4.3.1.
#[test]
fn directories_are_described_as_by_kafka() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("static");
    let name = path.display().to_string();
    assert_eq!(
        info(std::slice::from_ref(&path)),
        (format!("Found problem:\n  {name} does not exist\n\n"), false)
    );
    fs::create_dir(&path).unwrap();
    fs::write(
        path.join("meta.properties"),
        "#\nversion=1\nnode.id=7\ndirectory.id=EAtuYKJ9qQ6NyOTAOv0Ovg\n\
         cluster.id=MkU3OEVBNTcwNTJENDM2Qg\n",
    )
    .unwrap();
    assert_eq!(
        info(std::slice::from_ref(&path)),
        (
            format!(
                "Found log directory:\n  {name}\n\nFound metadata: \
                 {{cluster.id=MkU3OEVBNTcwNTJENDM2Qg, directory.id=EAtuYKJ9qQ6NyOTAOv0Ovg, node.id=7, \
                 version=1}}\n\n"
            ),
            true
        )
    );
}
