//! The words that the function and its generator share.
//!
//! Everything that crosses a boundary (a variables file, an environment variable, an answer of AWS) becomes one of
//! these types at the door, or an [`InvalidValue`] that says what was wrong and how to mend it. Inside, nothing is
//! checked twice. Each type carries its limits and the page they come from.
//!
//! [`FunctionConfiguration`] (environment variables, one target) and [`TargetsFile`] (a file, many) are the one
//! definition of what the generator writes and the function reads, so that the two cannot drift apart.
//!
//! What is *not* here: the AWS SDK, files, YAML, the network. This crate is compiled into both halves and stays small.

mod account_id;
mod arn;
mod concurrency;
mod external_id;
mod function;
mod invalid;
mod log_level;
mod organization;
mod printable;
mod region;
mod role;
mod session_name;
mod session_policy;
mod stage;
mod string_type;
mod target;
mod target_name;
mod targets_file;

pub use account_id::AccountId;
pub use arn::{RoleArn, account_of_arn};
pub use concurrency::Concurrency;
pub use external_id::ExternalId;
pub use function::{ConfigurationFault, FunctionConfiguration, Selection, variable};
pub use invalid::InvalidValue;
pub use log_level::LogLevel;
pub use organization::{Organization, OrganizationId, UnitId, Units};
pub use printable::{printable, printable_lines};
pub use region::{Partition, Region};
pub use role::RoleName;
pub use session_name::SessionName;
pub use session_policy::SessionPolicy;
pub use stage::Stage;
pub use target::{Access, Target};
pub use target_name::TargetName;
pub use targets_file::{Accounts, TargetsFile, TargetsFileError};
