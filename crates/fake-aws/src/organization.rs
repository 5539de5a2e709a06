//! Describes the behaviour of an organization.

use std::{collections::HashMap, time::Duration};

use crate::{
    fault::{Fault, Script},
    record::Action,
};

/// An organization's units and accounts, the latency of Organizations, and its faults.
///
/// By default it has only its root, pages of up to 20, no latency and no faults. Units and accounts are listed in the
/// order in which they were added.
#[derive(Debug, Clone, Default)]
pub struct Organization {
    /// IDs with the ID of the parent.
    pub(crate) units: Vec<(String, String)>,
    pub(crate) members: Vec<Member>,
    pub(crate) page_cap: Option<usize>,
    pub(crate) latency: Duration,
    pub(crate) shows_status: bool,
    pub(crate) on_request: Script,
    pub(crate) always_on: HashMap<Action, Fault>,
}

/// An account of the organization.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) state: String,
}

impl Organization {
    /// The ID of the root.
    pub const ROOT: &str = "r-ab12";

    /// An organization without units and accounts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An organizational unit in another, or in the [root](Self::ROOT).
    #[must_use]
    pub fn unit(mut self, id: &str, parent: &str) -> Self {
        self.units.push((id.to_owned(), parent.to_owned()));
        self
    }

    /// An active account in a unit or in the root, named `Account ID`.
    #[must_use]
    pub fn account(self, id: &str, parent: &str) -> Self {
        let name = format!("Account {id}");
        self.account_with(id, parent, &name, "ACTIVE")
    }

    /// An account with this name, in this state.
    #[must_use]
    pub fn account_with(mut self, id: &str, parent: &str, name: &str, state: &str) -> Self {
        self.members.push(Member {
            id: id.to_owned(),
            parent: parent.to_owned(),
            name: name.to_owned(),
            state: state.to_owned(),
        });
        self
    }

    /// The maximum page size, whatever the request says; at least 1.
    #[must_use]
    pub fn page_cap(mut self, most: usize) -> Self {
        self.page_cap = Some(most.max(1));
        self
    }

    /// The latency of a page.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Returns accounts with `Status` instead of `State`, as before 2025.
    #[must_use]
    pub fn with_status_only(mut self) -> Self {
        self.shows_status = true;
        self
    }

    /// The faults of the first requests of any action, in order.
    #[must_use]
    pub fn on_request(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.on_request.first = faults.into_iter().collect();
        self
    }

    /// The fault of every request after those of [`on_request`](Self::on_request).
    #[must_use]
    pub fn always_on_request(mut self, fault: Fault) -> Self {
        self.on_request.then = Some(fault);
        self
    }

    /// The fault of every request for `action` that has no other fault.
    #[must_use]
    pub fn always_on(mut self, action: Action, fault: Fault) -> Self {
        self.always_on.insert(action, fault);
        self
    }

    /// Returns whether this is the root or a unit.
    pub(crate) fn has_parent(&self, id: &str) -> bool {
        id == Self::ROOT || self.units.iter().any(|(unit, _)| unit == id)
    }

    /// The fault of request `number`, counted from 0.
    pub(crate) fn fault(&self, number: u64, action: Action) -> &Fault {
        match self.on_request.fault(number) {
            Fault::None => self.always_on.get(&action).unwrap_or(&Fault::None),
            fault => fault,
        }
    }
}
