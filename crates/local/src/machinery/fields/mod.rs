//! Who owns which field (`metadata.managedFields`): sets of fields, and what writes do to them.

mod apply;
mod check;
mod manage;
mod scale;
mod set;
mod shape;
mod typed;

pub(crate) use apply::apply;
pub(crate) use manage::{Manager, Tracking, differ_in_times_only, track};
pub(crate) use scale::{to_parent, to_scale};
pub(crate) use shape::Node;
