//! Whatever is thrown at a node: the right code, a closed connection, or one clear sentence; bounded
//! memory, and everybody else goes on.

use std::net::TcpListener;
use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};
use ottla_client::{Admin, Client};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{ApiVersionsResponse, ProduceRequest, ProduceResponse, TopicName};
use ottla_protocol::{ErrorCode, frame};
use ottla_tests::raw::{Answer, Raw, request, with_length};
use ottla_tests::{Cluster, Node, free_ports, quick, run, tool, wait};
use rand::{Rng, SeedableRng};

const API_VERSIONS: i16 = 18;
const METADATA: i16 = 3;
/// A node that takes what it is told for true would need gigabytes.
const MEMORY_BOUND: u64 = 300 << 20;

async fn one_node() -> Cluster {
    Cluster::builder().brokers(1).start().await
}

/// The node still serves, has not panicked, and has not grown.
fn assert_unharmed(cluster: &mut Cluster) {
    let bootstrap = cluster.bootstrap();
    let produce = ["--bootstrap-server", &bootstrap, "--topic", "unharmed"];
    let _ = run(tool("kafka-console-producer").args(produce), "still here\n").success();
    let read = ["--from-beginning", "--max-messages", "1", "--timeout-ms", "20000"];
    let read = run(tool("kafka-console-consumer").args(produce).args(read), "").success();
    assert_eq!(read.out, "still here\n");
    for node in cluster.nodes() {
        node.assert_alive();
        let log = node.log();
        assert!(!log.contains("panic"), "{log}");
        let resident = node.resident_bytes();
        assert!(resident < MEMORY_BOUND, "{} MiB", resident >> 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_impossible_lengths_close_the_connection() {
    let mut cluster = one_node().await;
    let port = cluster.node(1).port();
    for length in [-1, i32::MIN, i32::MAX, 0x0700_0000, 0, 1, 7] {
        let mut raw = Raw::connect(port);
        raw.send(&length.to_be_bytes());
        raw.send(&[0; 7]);
        raw.end();
        assert_eq!(raw.answer(), Answer::Closed, "length {length}");
    }
    assert_unharmed(&mut cluster);
}

#[tokio::test(flavor = "multi_thread")]
async fn truncated_frames_are_not_answered() {
    let mut cluster = one_node().await;
    let port = cluster.node(1).port();
    let whole = request(METADATA, 8, false, &[0, 0, 0, 0, 0, 0, 0]);
    for end in 0..whole.len() {
        let mut raw = Raw::connect(port);
        raw.send(&whole[..end]);
        raw.end();
        assert_eq!(raw.answer(), Answer::Closed, "{end} of {} bytes", whole.len());
    }
    assert_unharmed(&mut cluster);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_keys_and_versions_close_the_connection_but_for_api_versions() {
    let mut cluster = one_node().await;
    let port = cluster.node(1).port();
    for (key, version) in [(999, 0), (-1, 0), (METADATA, 99), (METADATA, -1), (0, 2), (1, 99)] {
        let mut raw = Raw::connect(port);
        raw.send(&request(key, version, false, &[0; 16]));
        raw.end();
        assert_eq!(raw.answer(), Answer::Closed, "key {key} version {version}");
    }
    let mut raw = Raw::connect(port);
    raw.send(&request(API_VERSIONS, 99, true, &[1, 1, 0]));
    let Answer::Frame(answer) = raw.answer() else { panic!("ApiVersions is always answered") };
    let (correlation, answer): (_, ApiVersionsResponse) =
        frame::decode_response(0, answer).expect("in version 0");
    assert_eq!((correlation, answer.error_code), (7, 35));
    assert!(!answer.api_keys.is_empty());
    assert_unharmed(&mut cluster);
}

#[tokio::test(flavor = "multi_thread")]
async fn absurd_array_lengths_take_no_memory() {
    let mut cluster = one_node().await;
    let port = cluster.node(1).port();
    // (key, version, flexible): arrays stand at the beginning of these.
    for (key, version, flexible) in [(3, 8, false), (3, 12, true), (19, 4, false), (20, 3, false)] {
        for count in [i32::MAX, 500_000_000, 54_265_856, -2] {
            let mut body = BytesMut::new();
            if flexible {
                // An unsigned varint of five bytes: the largest compact length.
                body.put_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
            } else {
                body.put_i32(count);
            }
            let mut raw = Raw::connect(port);
            raw.send(&request(key, version, flexible, &body));
            raw.end();
            // A refusal in the answer would do as well.
            let _ = raw.answer();
        }
    }
    assert_unharmed(&mut cluster);
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_behind_every_header_harms_nobody() {
    let mut cluster = one_node().await;
    let port = cluster.node(1).port();
    let seed: u64 = rand::rng().random();
    println!("seed {seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    for key in 0..80 {
        for version in 0..14 {
            let length = random.random_range(0..200);
            let body: Vec<u8> = (0..length).map(|_| random.random()).collect();
            let mut raw = Raw::connect(port);
            raw.send(&request(key, version, random.random(), &body));
            raw.end();
            let _ = raw.answer();
        }
    }
    for _ in 0..300 {
        let length = random.random_range(0..300);
        let noise: Vec<u8> = (0..length).map(|_| random.random()).collect();
        let mut raw = Raw::connect(port);
        raw.send(&if random.random() { with_length(&noise) } else { Bytes::from(noise) });
        raw.end();
        let _ = raw.answer();
    }
    assert_unharmed(&mut cluster);
}

#[tokio::test(flavor = "multi_thread")]
async fn corrupt_batches_are_refused_and_not_kept() {
    let mut cluster = one_node().await;
    let port = cluster.node(1).port();
    let bootstrap = cluster.bootstrap();
    let create = ["--bootstrap-server", &bootstrap, "--create", "--topic", "c"];
    let _ = run(tool("kafka-topics").args(create), "").success();
    let good = batch();
    let flipped = |at: usize| {
        let mut bad = good.to_vec();
        bad[at] ^= 0x40;
        Bytes::from(bad)
    };
    let cases = [
        ("good", good.clone(), 0),
        ("crc", flipped(17), ErrorCode::CorruptMessage.code()),
        ("payload", flipped(good.len() - 1), ErrorCode::CorruptMessage.code()),
        ("cut", good.slice(..good.len() - 3), ErrorCode::CorruptMessage.code()),
    ];
    for (what, records, expected) in cases {
        let data = PartitionProduceData::default().with_index(0).with_records(Some(records));
        let topic = TopicProduceData::default()
            .with_name(TopicName("c".into()))
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_acks(-1)
            .with_timeout_ms(5000)
            .with_topic_data(vec![topic]);
        let mut raw = Raw::connect(port);
        raw.send(&frame::encode_request(1, None, 9, &request).expect("encodes"));
        let Answer::Frame(answer) = raw.answer() else { panic!("{what}: closed") };
        let (_, answer): (_, ProduceResponse) = frame::decode_response(9, answer).expect("decodes");
        assert_eq!(answer.responses[0].partition_responses[0].error_code, expected, "{what}");
    }
    let read = ["--topic", "c", "--from-beginning", "--timeout-ms", "3000"];
    let read =
        run(tool("kafka-console-consumer").args(["--bootstrap-server", &bootstrap]).args(read), "");
    assert_eq!(read.out, "v\n");
    assert_unharmed(&mut cluster);
}

/// One uncompressed record "v", by the specification.
fn batch() -> Bytes {
    let mut after_crc = BytesMut::new();
    after_crc.put_i16(0); // attributes
    after_crc.put_i32(0); // last offset delta
    let now_ms = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or_default());
    after_crc.put_i64(now_ms);
    after_crc.put_i64(now_ms);
    after_crc.put_i64(-1); // producer id
    after_crc.put_i16(-1); // producer epoch
    after_crc.put_i32(-1); // sequence
    after_crc.put_i32(1); // records
    // length 7, attributes, timestamp delta, offset delta, null key, value "v", no headers (zigzag)
    after_crc.put_slice(&[14, 0, 0, 0, 1, 2, b'v', 0]);
    let mut batch = BytesMut::new();
    batch.put_i64(0);
    batch.put_i32(i32::try_from(after_crc.len() + 9).expect("small"));
    batch.put_i32(-1); // partition leader epoch
    batch.put_u8(2); // magic
    batch.put_u32(crc32c(&after_crc));
    batch.put_slice(&after_crc);
    batch.freeze()
}

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 }
        })
    })
}

/// Starts a lone node with `properties`, which must make it end with exit code 1; what it said.
fn refusal(properties: &str) -> String {
    refusal_in(tempfile::tempdir().expect("a folder").path(), properties)
}

fn refusal_in(dir: &Path, properties: &str) -> String {
    let mut node = Node::new(1, dir, 0, properties);
    node.start();
    let status = node.wait();
    let log = node.log();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(!log.contains("panic"), "{log}");
    let errors: Vec<_> = log.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "one clear sentence: {log}");
    errors[0].to_owned()
}

/// Properties of a lone node with both roles on free ports.
fn lone(data: &Path, broker: u16, controller: u16, more: &str) -> String {
    format!(
        "process.roles=broker,controller\nnode.id=1\n\
         listeners=PLAINTEXT://localhost:{broker},CONTROLLER://localhost:{controller}\n\
         controller.listener.names=CONTROLLER\n\
         controller.quorum.voters=1@localhost:{controller}\nlog.dirs={}\n{more}",
        data.display()
    )
}

#[test]
fn a_bad_setting_is_named() {
    let cases = [
        ("node.id=one\n", "node.id"),
        ("process.roles=boss\n", "process.roles"),
        ("listeners=nonsense\n", "listeners"),
        ("controller.quorum.voters=1-2\n", "controller.quorum.voters"),
        ("num.partitions=0\n", "num.partitions"),
        ("log.segment.bytes=plenty\n", "log.segment.bytes"),
        ("advertised.listeners=PLAINTEXT://0.0.0.0:9092\n", "advertised.listeners"),
    ];
    for (line, key) in cases {
        let dir = tempfile::tempdir().expect("a folder");
        let ports = free_ports(2);
        let said = refusal(&lone(&dir.path().join("data"), ports[0], ports[1], line));
        assert!(said.contains(key), "{line}: {said}");
    }
}

#[test]
fn a_missing_settings_file_is_named() {
    let said = run(tool("ottla").args(["server", "--config", "/no/such.properties"]), "").failure();
    assert!(said.err.contains("/no/such.properties"), "{said:?}");
}

#[test]
fn a_taken_port_is_named_with_its_key() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
    let taken = listener.local_addr().expect("an address").port();
    let free = free_ports(1)[0];
    for (broker, controller) in [(taken, free), (free, taken)] {
        let dir = tempfile::tempdir().expect("a folder");
        let said = refusal(&lone(&dir.path().join("data"), broker, controller, ""));
        assert!(said.contains(&taken.to_string()) && said.contains("listeners"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_use_is_named_with_its_key() {
    let mut cluster = one_node().await;
    let data = cluster.node(1).dir().join("data");
    let ports = free_ports(2);
    let said = refusal(&lone(&data, ports[0], ports[1], ""));
    assert!(said.contains(&data.display().to_string()), "{said}");
    assert!(said.contains("log.dir") && said.contains("in use"), "{said}");
    assert_unharmed(&mut cluster);
}

#[test]
fn an_unwritable_folder_is_named_with_its_key() {
    let ports = free_ports(2);
    let said = refusal(&lone(Path::new("/proc/data"), ports[0], ports[1], ""));
    assert!(said.contains("/proc/data") && said.contains("log.dir"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_nodes_or_clusters_folder_is_refused_naming_both_ids() {
    let mut cluster = one_node().await;
    let id = cluster.admin().await.describe_cluster(false).await.expect("answers").id;
    let data = cluster.node(1).dir().join("data");
    assert!(cluster.node(1).stop().success());

    let ports = free_ports(2);
    let other = "AAAAAAAAAAAAAAAAAAAAAQ";
    let said = refusal(&lone(&data, ports[0], ports[1], &format!("cluster.id={other}\n")));
    assert!(said.contains(&id) && said.contains(other), "{said}");

    let properties = lone(&data, ports[0], ports[1], "")
        .replace("node.id=1", "node.id=7")
        .replace("voters=1@", "voters=7@");
    let said = refusal(&properties);
    assert!(said.contains("node.id") && said.contains('7') && said.contains('1'), "{said}");

    cluster.start_all();
    cluster.wait_until_ready().await;
    assert_unharmed(&mut cluster);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_majority_over_existing_data_is_refused() {
    let mut cluster = Cluster::three().await;
    for node in cluster.nodes() {
        node.kill();
    }
    for id in [2, 3] {
        std::fs::remove_dir_all(cluster.node(id).dir().join("data")).expect("removed");
    }
    cluster.start_all();
    // Whoever sees first that the empty ones are the majority ends; the other one waits on.
    wait::until("an empty controller refuses", async || {
        let refused = [2, 3].iter().any(|id| {
            let log = cluster.node(*id).log();
            log.lines().any(|line| {
                line.starts_with("error: 2 of 3 controllers have no data, but controller 1 has")
            })
        });
        wait::check(refused, ())
    })
    .await;
    let client = Client::new(&cluster.address(1), quick()).expect("an address");
    let topics = Admin::new(client).list_topics().await;
    assert!(topics.is_err() || topics.is_ok_and(|all| all.is_empty()), "nobody forms a cluster");
    cluster.node(1).assert_alive();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_that_lost_its_data_is_taken_back() {
    let mut cluster = Cluster::three().await;
    let bootstrap = cluster.bootstrap();
    let produce = ["--bootstrap-server", &bootstrap, "--topic", "t"];
    let _ = run(tool("kafka-console-producer").args(produce), "kept\n").success();
    cluster.node(2).kill();
    std::fs::remove_dir_all(cluster.node(2).dir().join("data")).expect("removed");
    cluster.node(2).start();
    cluster.wait_until_ready().await;
    let read = ["--from-beginning", "--max-messages", "1", "--timeout-ms", "20000"];
    let read = run(tool("kafka-console-consumer").args(produce).args(read), "").success();
    assert_eq!(read.out, "kept\n");
}

#[test]
fn settings_without_effect_and_unknown_ones_are_announced() {
    let dir = tempfile::tempdir().expect("a folder");
    let ports = free_ports(2);
    let more = "num.io.threads=3\nnum.partitons=4\n";
    let properties = lone(&dir.path().join("data"), ports[0], ports[1], more);
    let mut node = Node::new(1, dir.path(), ports[0], &properties);
    node.start();
    let deadline = std::time::Instant::now() + ottla_tests::wait::PATIENCE;
    while !node.log().contains("started") {
        node.assert_alive();
        assert!(std::time::Instant::now() < deadline, "{}", node.log());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let log = node.log();
    for expected in ["num.io.threads", "num.partitons"] {
        assert!(log.contains(expected), "{expected}: {log}");
    }
    assert!(node.stop().success());
}
