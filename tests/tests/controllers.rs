//! Controllers speak Kafka to administrators (KIP-919): with a role of their own or beside a broker.

use std::collections::BTreeSet;

use ottla_client::admin::{AlterOperation, ConfigResource, ResourceType};
use ottla_client::{Admin, Client, ClientError, ClientOptions};
use ottla_protocol::api::{ApiKey, TABLE};
use ottla_protocol::messages::{
    ApiVersionsRequest, DescribeClusterRequest, DescribeClusterResponse, MetadataRequest,
};
use ottla_protocol::{ErrorCode, StrBytes};
use ottla_tests::raw::{Answer, Raw};
use ottla_tests::{Cluster, Wire, quick, run, tool, wait};

/// The types of endpoints.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// An administrator that starts from controllers.
async fn admin_at(controllers: &str) -> Admin {
    let options = ClientOptions { bootstrap_controllers: true, ..ClientOptions::default() };
    Admin::new(Client::connect(controllers, options).await.expect("a controller answers"))
}

fn config(kind: ResourceType, name: &str) -> ConfigResource {
    ConfigResource { kind, name: name.to_owned() }
}

/// Sets it for all brokers, and waits until the broker shows it.
async fn set_retention(controllers: &Admin, brokers: &Admin, value: &str) {
    let all_brokers = config(ResourceType::Broker, "");
    let set = AlterOperation::Set("log.retention.ms".to_owned(), value.to_owned());
    let outcome = controllers.incremental_alter_configs(&all_brokers, &[set], false).await;
    outcome.expect("answered").expect("taken");
    wait::until(&format!("a broker shows {value}"), async || {
        let described = brokers.describe_configs(&[config(ResourceType::Broker, "1")]).await;
        let entries = described.map_err(|error| error.to_string())?.remove(0);
        let entries = entries.map_err(|error| error.to_string())?;
        let shown = entries.into_iter().find(|entry| entry.name == "log.retention.ms");
        let shown = shown.and_then(|entry| entry.value);
        wait::check(shown.as_deref() == Some(value), format!("{shown:?}"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dedicated_controllers_administer_the_cluster_also_when_the_active_one_dies() {
    let mut cluster = Cluster::builder().brokers(1).dedicated_controllers().start().await;
    let brokers = cluster.admin().await;
    let controllers = admin_at(&cluster.controllers()).await;

    let described = controllers.describe_cluster(false).await.expect("described");
    let ids: Vec<i32> = described.nodes.iter().map(|node| node.id).collect();
    assert_eq!(ids, [101, 102, 103]);
    for node in &described.nodes {
        assert_eq!(node.address.port, cluster.controller_port(node.id));
    }
    assert_eq!(described.id, brokers.describe_cluster(false).await.expect("described").id);
    let quorum = controllers.describe_quorum().await.expect("a quorum");
    assert_eq!(described.controller, quorum.leader);

    set_retention(&controllers, &brokers, "3600001").await;
    let other = ids.iter().copied().find(|id| *id != quorum.leader).expect("three of them");
    let own = [
        config(ResourceType::Broker, &other.to_string()),
        config(ResourceType::BrokerLogger, &other.to_string()),
    ];
    let own = controllers.describe_configs(&own).await.expect("answered by itself");
    let roles = own[0].as_ref().expect("its settings").iter();
    let roles = roles.filter(|entry| entry.name == "process.roles");
    assert_eq!(
        roles.filter_map(|entry| entry.value.as_deref()).collect::<Vec<_>>(),
        ["controller"]
    );
    assert!(!own[1].as_ref().expect("its loggers").is_empty());
    assert_eq!(controllers.list_partition_reassignments().await.expect("listed").len(), 0);
    let features = controllers.describe_features(Some(other)).await.expect("told");
    assert!(features.features.contains_key("metadata.version"));
    match controllers.unregister_broker(9).await {
        Err(ClientError::Api(error)) => {
            assert_eq!(error.error_code(), ErrorCode::BrokerIdNotRegistered);
        }
        unexpected => panic!("{unexpected:?}"),
    }
    match controllers.list_topics().await {
        Err(ClientError::Api(error)) => {
            assert_eq!(error.error_code(), ErrorCode::UnsupportedEndpointType);
        }
        unexpected => panic!("{unexpected:?}"),
    }

    cluster.node(quorum.leader).kill();
    set_retention(&controllers, &brokers, "3600002").await;
    let next = controllers.describe_quorum().await.expect("a quorum").leader;
    assert_ne!(next, quorum.leader);
    let at = format!("localhost:{}", cluster.controller_port(other));
    let listed = run(tool("kafka-cluster").args(["list-endpoints", "-C", &at]), "").success().out;
    assert_eq!(listed.lines().count(), 4, "{listed}");
    assert!(listed.lines().skip(1).all(|line| line.ends_with("controller     ")), "{listed}");
}

fn describe(wire: &mut Wire, version: i16, endpoint_type: i8) -> DescribeClusterResponse {
    let mut request = DescribeClusterRequest::default();
    if version > 0 {
        request.endpoint_type = endpoint_type;
    }
    wire.call(version, &request).expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controllers_port_says_what_it_serves_and_closes_on_anything_else() {
    let cluster = Cluster::builder().brokers(1).start().await;
    let (broker, controller) = (cluster.ports()[0], cluster.controller_port(1));
    let mut wire = Wire::connect(controller).expect("it listens");
    let request = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("test"))
        .with_client_software_version(StrBytes::from_static_str("1"));
    let versions = wire.call(4, &request).expect("an answer");
    let announced: BTreeSet<i16> = versions.api_keys.iter().map(|api| api.api_key).collect();
    let served = TABLE.iter().filter(|row| row.at_controllers).map(|row| row.key as i16);
    assert_eq!(announced, served.collect());
    assert!(!announced.contains(&(ApiKey::Metadata as i16)));

    let answer = describe(&mut wire, 2, CONTROLLERS);
    assert_eq!((answer.error_code, answer.endpoint_type, answer.controller_id.0), (0, 2, 1));
    assert_eq!(answer.brokers.len(), 1);
    assert_eq!(answer.brokers[0].port, i32::from(controller));
    let mut at_broker = Wire::connect(broker).expect("it listens");
    let mut third = Wire::connect(broker).expect("it listens");
    for (wire, version, wanted, code, message) in [
        (
            &mut wire,
            1,
            BROKERS,
            ErrorCode::MismatchedEndpointType,
            "The request was sent to an endpoint of type CONTROLLER, but we wanted an endpoint of type \
             BROKER",
        ),
        (
            &mut at_broker,
            2,
            CONTROLLERS,
            ErrorCode::MismatchedEndpointType,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type \
             CONTROLLER",
        ),
        (&mut third, 1, 3, ErrorCode::UnsupportedEndpointType, "Unsupported endpoint type 3"),
    ] {
        let answer = describe(wire, version, wanted);
        assert_eq!(answer.error_code, code.code());
        assert_eq!(answer.error_message.as_deref(), Some(message));
    }
    // In version 0 nobody can ask for controllers.
    assert_eq!(describe(&mut wire, 0, BROKERS).error_code, ErrorCode::InvalidRequest.code());

    assert!(wire.call(12, &MetadataRequest::default()).is_err(), "closed");
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 0, 0, 1, 9], &[0xff; 16]] {
        let mut raw = Raw::connect(controller);
        raw.send(bytes);
        assert_eq!(raw.answer(), Answer::Closed, "{bytes:?}");
    }
    // It serves on.
    assert_eq!(
        describe(&mut Wire::connect(controller).expect("it listens"), 1, CONTROLLERS).error_code,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_without_a_quorum_says_so() {
    let mut cluster = Cluster::builder().build();
    cluster.node(2).start();
    let port = cluster.controller_port(2);
    let options = ClientOptions { bootstrap_controllers: true, ..quick() };
    let described = wait::until("a lone controller answers", async || {
        cluster.node(2).assert_alive();
        let client = Client::connect(&format!("localhost:{port}"), options.clone()).await;
        let client = client.map_err(|error| error.to_string())?;
        Admin::new(client).describe_cluster(false).await.map_err(|error| error.to_string())
    })
    .await;
    assert_eq!(described.controller, -1);
    assert_eq!(described.nodes.iter().map(|node| node.id).collect::<Vec<_>>(), [1, 2, 3]);
}
