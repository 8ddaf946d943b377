//! DescribeCluster: the brokers, and whom to take for the controller.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};

use super::{Context, OPERATIONS_NOT_ASKED, lookup, text};

/// `endpoint_type`: the brokers. Controllers are not reached by this protocol.
const BROKERS: i8 = 1;

pub(super) fn handle(
    context: &Context,
    request: &DescribeClusterRequest,
) -> DescribeClusterResponse {
    let image = context.broker.metadata.image();
    let response = DescribeClusterResponse::default()
        .with_endpoint_type(BROKERS)
        .with_cluster_authorized_operations(OPERATIONS_NOT_ASKED);
    if request.endpoint_type != BROKERS {
        return response
            .with_error_code(ErrorCode::MismatchedEndpointType.code())
            .with_error_message(Some(text(
                "this endpoint is a broker's; ask for endpoint type 1",
            )));
    }
    let shown = image.brokers().values();
    let shown = shown.filter(|broker| !broker.fenced || request.include_fenced_brokers);
    let brokers = shown.filter_map(|broker| {
        let endpoint = broker.endpoint(&context.listener)?;
        Some(
            DescribeClusterBroker::default()
                .with_broker_id(broker.id.into())
                .with_host(text(&endpoint.host))
                .with_port(endpoint.port.into())
                .with_rack(broker.rack.as_deref().map(text))
                .with_is_fenced(broker.fenced && request.include_fenced_brokers),
        )
    });
    response
        .with_cluster_id(image.cluster_id().map(|id| text(id)).unwrap_or_default())
        .with_controller_id(lookup::controller_id(context, &image).into())
        .with_brokers(brokers.collect())
}
