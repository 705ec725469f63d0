//! Partner users: the people of a partner, managed by some of them (D-25 to D-27), and by its provider's global admins
//! and admin agents while it lets them (C25).
//!
//! Promises that the name lies in one of the organization's domains, that somebody who was removed stays removed, and that
//! one global admin stays (C3), as [`crate::user::change`] has it. Who may do it to whom is decided in [`crate::policy`],
//! over the table of [`crate::user::grants`].

pub mod ops;
pub mod store;
mod wire;
