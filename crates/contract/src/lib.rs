//! The types that the function and its generator share.
//!
//! Every value from outside (a variables file, an environment variable, a response from AWS) is parsed into one of these
//! types or into an [`InvalidValue`], which names the problem and the fix. Nothing is checked again after that. Each type
//! documents its limits and their source.
//!
//! [`FunctionConfiguration`] (environment variables, one target) and [`TargetsFile`] (a file, many targets) define once
//! what the generator writes and the function reads.
//!
//! The AWS SDK, files, YAML and the network do not belong here: this crate is compiled into both programs and stays small.

mod account_id;
mod action;
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
pub use action::{ActionSpec, Field, Scope};
pub use arn::{RoleArn, account_of_arn};
pub use concurrency::Concurrency;
pub use external_id::ExternalId;
pub use function::{ConfigurationProblem, FunctionConfiguration, Selection, variable};
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
