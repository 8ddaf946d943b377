//! ListConfigResources: what has settings, by kind; in version 0 ListClientMetricsResources.

use ottla_metadata::Image;
use ottla_metadata::record::ConfigResource;
use ottla_protocol::messages::list_config_resources_response::ConfigResource as Listed;
use ottla_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use ottla_protocol::{ErrorCode, StrBytes};

use super::config_resource::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC};
use super::{Context, text};

/// In the order of the answer to a request that names none.
const KINDS: [i8; 5] = [CLIENT_METRICS, BROKER_LOGGER, BROKER, TOPIC, GROUP];

pub(super) fn handle(
    context: &Context,
    request: &ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    let image = context.broker.metadata.image();
    let kinds: Vec<i8> = match request.resource_types.as_slice() {
        _ if context.version == 0 => vec![CLIENT_METRICS],
        [] => KINDS.to_vec(),
        named if named.iter().all(|kind| KINDS.contains(kind)) => {
            KINDS.into_iter().filter(|kind| named.contains(kind)).collect()
        }
        _ => {
            return ListConfigResourcesResponse::default()
                .with_error_code(ErrorCode::UnsupportedVersion.code());
        }
    };
    let listed = kinds.into_iter().flat_map(|kind| {
        names(&image, kind)
            .into_iter()
            .map(move |name| Listed::default().with_resource_name(name).with_resource_type(kind))
    });
    ListConfigResourcesResponse::default().with_config_resources(listed.collect())
}

fn names(image: &Image, kind: i8) -> Vec<StrBytes> {
    match kind {
        TOPIC => image.topics().map(|topic| text(&topic.name)).collect(),
        BROKER | BROKER_LOGGER => {
            image.live_brokers().map(|broker| text(&broker.id.to_string())).collect()
        }
        _ => image
            .configs()
            .filter_map(|(resource, _)| match resource {
                ConfigResource::Group(name) if kind == GROUP => Some(text(name)),
                ConfigResource::ClientMetrics(name) if kind == CLIENT_METRICS => Some(text(name)),
                _ => None,
            })
            .collect(),
    }
}
