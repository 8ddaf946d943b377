//! DescribeCluster: at a broker the brokers, and whom to take for the controller; at a controller the
//! controllers (KIP-919).

use ottla_config::Voter;
use ottla_metadata::Image;
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::NO_LEADER;
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};

use super::administration::{QuorumView, Role};
use super::error::other_endpoint_code;
use super::{AdminContext, OPERATIONS_NOT_ASKED, lookup, text};

/// Kafka's numbers and names of who can be asked for.
const ENDPOINTS: [(i8, &str); 2] = [(1, "BROKER"), (2, "CONTROLLER")];

pub(super) fn handle(
    context: &AdminContext,
    request: &DescribeClusterRequest,
) -> DescribeClusterResponse {
    let (own_type, own_name) = ENDPOINTS[match &context.node.role {
        Role::Broker => 0,
        Role::Controller(_) => 1,
    }];
    let wanted = ENDPOINTS.iter().find(|(number, _)| *number == request.endpoint_type);
    let refused = |known: bool, message: String| {
        let code = other_endpoint_code(known, context.version);
        DescribeClusterResponse::default()
            .with_cluster_authorized_operations(OPERATIONS_NOT_ASKED)
            .with_error_code(code.code())
            .with_error_message(Some(text(&message)))
    };
    match wanted {
        None => {
            return refused(false, format!("Unsupported endpoint type {}", request.endpoint_type));
        }
        Some((number, _)) if *number == own_type => {}
        Some((_, name)) => {
            let message = format!(
                "The request was sent to an endpoint of type {own_name}, but we wanted an endpoint of \
                 type {name}"
            );
            return refused(true, message);
        }
    }
    let image = context.node.metadata.image();
    let (controller, nodes) = match &context.node.role {
        Role::Broker => (
            lookup::controller_id(&context.node, &context.listener, &image),
            brokers(context, &image, request.include_fenced_brokers),
        ),
        Role::Controller(quorum) => controllers(quorum, &context.node.config.quorum_voters),
    };
    DescribeClusterResponse::default()
        .with_endpoint_type(own_type)
        .with_cluster_authorized_operations(OPERATIONS_NOT_ASKED)
        .with_error_code(ErrorCode::None.code())
        .with_cluster_id(text(&context.node.controllers.cluster_id().unwrap_or_default()))
        .with_controller_id(controller.into())
        .with_brokers(nodes)
}

fn brokers(
    context: &AdminContext,
    image: &Image,
    include_fenced: bool,
) -> Vec<DescribeClusterBroker> {
    let shown = image.brokers().values().filter(|broker| !broker.fenced || include_fenced);
    let brokers = shown.filter_map(|broker| {
        let endpoint = broker.endpoint(&context.listener)?;
        Some(
            DescribeClusterBroker::default()
                .with_broker_id(broker.id.into())
                .with_host(text(&endpoint.host))
                .with_port(endpoint.port.into())
                .with_rack(broker.rack.as_deref().map(text))
                .with_is_fenced(broker.fenced && include_fenced),
        )
    });
    brokers.collect()
}

/// The active controller, if there is one, and all voters; before there has been a quorum, those of the
/// settings.
fn controllers(quorum: &QuorumView, configured: &[Voter]) -> (i32, Vec<DescribeClusterBroker>) {
    let (active, voters) = quorum();
    let voters = if voters.is_empty() { configured } else { &voters };
    let nodes = voters.iter().map(|voter| {
        DescribeClusterBroker::default()
            .with_broker_id(voter.id.into())
            .with_host(text(&voter.host))
            .with_port(voter.port.into())
            .with_rack(None)
    });
    (active.unwrap_or(NO_LEADER), nodes.collect())
}
