//! Governance properties as settings: what files and administrators say by WSO2's names, and what that comes to.
//!
//! `overlay` holds what administrators have set.

pub mod overlay;

pub use overlay::{Overlay, Set};
