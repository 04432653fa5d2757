//! Accounts in use: signing in, changing passwords, what administrators do, and the lockout that guards every door.

mod administer;
mod audit;
mod breached;
mod change_password;
mod device;
mod doors;
mod governance;
pub mod hashing;
mod import;
mod lockout;
mod notices;
mod pending;
mod portal;
mod record;
mod refusals;
mod rejected;
mod sign_in;

pub use self::{
    administer::{AddError, AdminError, NewUser},
    audit::GuardedName,
    change_password::{ChangeError, ChangePassword, Changed},
    doors::{Doors, Parts},
    governance::{GovernError, Governance, Values},
    import::{IMPORT_BATCH, ImportError, ImportedUser},
    lockout::{Guess, Lockout, NotReserved, Reservation},
    notices::{Notices, Shown},
    portal::{NotForwarded, PortalClient, PortalSession},
    rejected::{Rejected, Told},
    sign_in::{Attempt, Door, SignedIn},
};
