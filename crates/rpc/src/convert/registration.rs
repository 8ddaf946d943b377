//! A broker's registration.

use std::sync::Arc;

use ottla_metadata::Endpoint;
use ottla_metadata::plan::brokers::Registration;
use ottla_metadata::proto as records;

use super::{InvalidField, id_from_proto, id_to_proto};
use crate::controller as proto;

/// A registration, as it travels. `cluster_id` is empty while it is not known.
#[must_use]
pub fn registration_to_proto(
    registration: &Registration,
    cluster_id: &str,
) -> proto::RegisterRequest {
    proto::RegisterRequest {
        cluster_id: cluster_id.to_owned(),
        broker_id: registration.broker_id,
        incarnation_id: id_to_proto(&registration.incarnation_id),
        endpoints: registration
            .endpoints
            .iter()
            .map(|endpoint| records::BrokerEndpoint {
                listener: endpoint.listener.to_string(),
                host: endpoint.host.to_string(),
                port: u32::from(endpoint.port),
                security_protocol: endpoint.security_protocol.to_string(),
            })
            .collect(),
        rack: registration.rack.as_deref().map(str::to_owned),
        inter_broker_listener: registration.inter_broker_listener.to_string(),
        previous_broker_epoch: registration.previous_broker_epoch,
    }
}

/// A registration that came in.
///
/// # Errors
/// [`InvalidField`].
pub fn registration_from_proto(
    request: proto::RegisterRequest,
) -> Result<Registration, InvalidField> {
    const MESSAGE: &str = "RegisterRequest";
    Ok(Registration {
        broker_id: request.broker_id,
        incarnation_id: id_from_proto(MESSAGE, "incarnation_id", &request.incarnation_id)?,
        endpoints: request
            .endpoints
            .into_iter()
            .map(|endpoint| {
                Ok(Endpoint {
                    listener: Arc::from(endpoint.listener),
                    host: Arc::from(endpoint.host),
                    port: u16::try_from(endpoint.port)
                        .map_err(|_| InvalidField::new(MESSAGE, "endpoints.port", endpoint.port))?,
                    security_protocol: Arc::from(endpoint.security_protocol),
                })
            })
            .collect::<Result<_, InvalidField>>()?,
        rack: request.rack.map(Arc::from),
        inter_broker_listener: Arc::from(request.inter_broker_listener),
        previous_broker_epoch: request.previous_broker_epoch,
    })
}
