//! Groups of foreign consumers, while their coordinator is killed, members crash, leave and come back:
//! every acknowledged record is consumed, committed offsets never step back, and no partition has two
//! owners.

mod scene;

use ottla_tests::Cluster;
use scene::{Kind, Scene, Spread};

/// The coordinator is killed twice, a member crashes, one leaves, and others come.
async fn survives(kind: Kind) {
    let mut scene = Scene::begin(kind).await;
    let spread = Spread::start(&scene.cluster.bootstrap());
    scene.join(3);
    scene.wait_until_shared().await;
    scene.wait_for_progress(20).await;

    let first = scene.coordinator().await;
    scene.cluster.node(first).kill();
    scene.wait_for_progress(20).await;
    scene.wait_until_shared().await;
    scene.cluster.node(first).start();
    scene.cluster.wait_until_ready().await;

    scene.kill_member();
    scene.wait_until_shared().await;
    scene.join(1);
    scene.wait_until_shared().await;

    let second = scene.coordinator().await;
    scene.cluster.node(second).kill();
    scene.stop_member();
    scene.wait_for_progress(20).await;
    scene.wait_until_shared().await;
    scene.cluster.node(second).start();
    scene.cluster.wait_until_ready().await;
    scene.end(spread).await;
}

/// Members of the other protocol join one after the other, and those of the first leave; and back.
async fn converts(classic: Kind, consumer: Kind) {
    let mut scene = Scene::begin(classic).await;
    let spread = Spread::start(&scene.cluster.bootstrap());
    scene.join(2);
    scene.wait_until_it_is(false).await;
    scene.join_by(consumer, 1);
    scene.wait_until_it_is(true).await;
    let coordinator = scene.coordinator().await;
    scene.cluster.node(coordinator).kill();
    scene.wait_until_it_is(true).await;
    scene.cluster.node(coordinator).start();
    scene.cluster.wait_until_ready().await;
    scene.stop_member();
    scene.stop_member();
    scene.join_by(consumer, 1);
    scene.wait_until_it_is(true).await;
    // Back: the last member of the new protocol that leaves makes the group classic again.
    scene.join_by(classic, 2);
    scene.wait_until_it_is(true).await;
    scene.stop_member();
    scene.stop_member();
    scene.wait_until_it_is(false).await;
    scene.end(spread).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_librdkafka_changes_its_protocol_and_back() {
    converts(Kind::ConfluentClassic, Kind::ConfluentConsumer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_the_java_client_changes_its_protocol_and_back() {
    converts(Kind::JavaClassic, Kind::JavaConsumer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_kafka_python_changes_its_protocol_and_back() {
    converts(Kind::KafkaPython, Kind::JavaConsumer).await;
}

/// The coordinator is killed, and its successor too, while it loads.
async fn survives_a_kill_while_loading(kind: Kind) {
    let builder = Cluster::builder().dedicated_controllers();
    let mut scene = Scene::begin_in(kind, builder).await;
    let spread = Spread::start(&scene.cluster.bootstrap());
    scene.join(2);
    scene.wait_until_shared().await;
    scene.make_loading_slow().await;
    scene.wait_for_progress(20).await;
    let first = scene.coordinator().await;
    scene.cluster.node(first).kill();
    let second = scene.coordinator_other_than(first).await;
    let loading = scene.is_loading(second);
    scene.cluster.node(second).kill();
    println!("{kind:?}: broker {second} was loading when it was killed: {loading}");
    scene.cluster.start_all();
    scene.cluster.wait_until_ready().await;
    scene.wait_for_progress(20).await;
    scene.wait_until_shared().await;
    scene.end(spread).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn confluent_kafka_goes_on_after_a_kill_while_loading() {
    survives_a_kill_while_loading(Kind::ConfluentClassic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consumer_protocol_goes_on_after_a_kill_while_loading() {
    survives_a_kill_while_loading(Kind::ConfluentConsumer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_python_goes_on() {
    survives(Kind::KafkaPython).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aiokafka_goes_on() {
    survives(Kind::Aiokafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn confluent_kafka_goes_on() {
    survives(Kind::ConfluentClassic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn confluent_kafka_goes_on_with_the_consumer_protocol() {
    survives(Kind::ConfluentConsumer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kafkajs_goes_on() {
    survives(Kind::Kafkajs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_java_client_goes_on() {
    survives(Kind::JavaClassic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_java_client_goes_on_with_the_consumer_protocol() {
    survives(Kind::JavaConsumer).await;
}
