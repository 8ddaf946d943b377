//! ElectLeaders: elections that somebody asks for.

use super::{Limits, Plan};
use crate::image::Image;
use crate::proposal::{ElectLeaders, Outcome};

/// Holds the elections; each partition succeeds or fails by itself.
#[must_use]
pub fn elect(image: &Image, limits: &Limits, request: &ElectLeaders) -> Plan<Vec<Outcome>> {
    let _ = (image, limits, request);
    unimplemented!("elect")
}
