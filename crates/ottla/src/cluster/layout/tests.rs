use super::*;

#[test]
fn the_first_three_nodes_are_the_voters() {
    let spec = Spec::new(4, 9092);
    let text = spec.properties(1, Path::new("/d"));
    assert!(text.contains("\nprocess.roles=broker,controller\n"), "{text}");
    assert!(
        text.contains("\nlisteners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9192\n"),
        "{text}"
    );
    let fourth = spec.properties(4, Path::new("/d"));
    assert!(fourth.contains("\nprocess.roles=broker\n"), "{fourth}");
    assert!(fourth.contains("\nlisteners=PLAINTEXT://localhost:9095\n"), "{fourth}");
    let voters = "controller.quorum.voters=1@localhost:9192,2@localhost:9193,3@localhost:9194\n";
    assert!(text.contains(voters) && fourth.contains(voters), "{fourth}");
}

#[test]
fn two_nodes_have_one_controller() {
    assert_eq!(Spec::new(2, 9092).voters, 1);
}

#[test]
fn absurd_sizes_and_ports_are_refused() {
    for (nodes, port) in [(0, 9092), (-1, 9092), (101, 9092), (3, 65500)] {
        assert!(Spec::new(nodes, port).check().is_err(), "{nodes} nodes at {port}");
    }
    Spec::new(3, 9092).check().expect("plain");
}

#[test]
fn a_written_folder_is_read_back_and_only_such_a_folder_is_removed() {
    let dir = tempfile::tempdir().expect("tempdir");
    let folder = Folder::new(&dir.path().join("c")).expect("folder");
    assert!(folder.load().expect("loads").is_none());
    assert!(folder.remove().is_err());
    let mut spec = Spec::new(3, 19092);
    spec.settings.insert("flush.messages".into(), "7".into());
    folder.write(&spec).expect("written");
    assert_eq!(folder.load().expect("loads"), Some(spec));
    let text = fs::read_to_string(folder.properties_file(2)).expect("properties");
    assert!(text.ends_with("flush.messages=7\n"), "{text}");
    folder.remove().expect("removed");
    assert!(!folder.path().exists());
}

#[test]
fn a_taken_port_is_seen() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
    let port = listener.local_addr().expect("address").port();
    assert!(!port_is_free(port));
    drop(listener);
    assert!(port_is_free(port));
}
