//! Changing dynamic configuration.

use super::{Limits, Plan};
use crate::image::Image;
use crate::proposal::{AlterConfigs, Outcome};

/// Changes the configuration of topics and brokers; each resource succeeds or fails as a whole.
#[must_use]
pub fn alter(image: &Image, limits: &Limits, request: &AlterConfigs) -> Plan<Vec<Outcome>> {
    let _ = (image, limits, request);
    unimplemented!("alter")
}
