//! What two operations leave, and how it is compared with what they leave one after the other.

use std::collections::BTreeSet;

use super::operations::Operation;

const SWITCHED_OFF: &str = "no link is mailed to an account that is deactivated";
const NO_FIELD: &str = "no field can be set in an account that is deactivated";
const NO_PASSWORD: &str = "the password cannot be disabled in an account that is deactivated";
/// While a deletion that was asked for is carried out, what would call it off is refused like this.
const HAS_BEGUN: [&str; 2] = [
    "its requested deletion has begun and can no longer be cancelled",
    "the password cannot be disabled in an account that is to be deleted",
];
const NO_ACCOUNT: &str = "no account has this username, e-mail address or id";
/// Ends the line of a mail whose link works.
pub const WORKS: &str = "its link works";
/// Ends the line of a mail whose link does not work.
pub const DEAD: &str = "its link does not work";

/// What two operations leave.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The answers, by operation.
    pub answers: Vec<String>,
    /// All items but the windows of limits.
    pub items: Vec<String>,
    /// What a login notes if nothing comes between.
    pub noted: BTreeSet<&'static str>,
    /// The mails, and whether their links work.
    pub mails: Vec<String>,
    /// What must never be.
    pub unsound: Vec<String>,
}

impl Outcome {
    /// Whether this is also what these operations leave in this order. A login notes its network and its hash only if nothing comes between. Mail that
    /// was under way meanwhile may arrive with a link that has ended.
    pub fn is_of(&self, order: &Self, operations: [Operation; 2]) -> bool {
        let (this, order) = (self.as_compared(operations), order.as_compared(operations));
        let mut more = this.mails.clone();
        let all_sent = order.mails.iter().all(|mail| more.iter().position(|other| other == mail).map(|found| more.remove(found)).is_some());
        let may_be = operations[0].sends() && more.iter().all(|mail| mail.ends_with(DEAD));
        // Such mail is counted, and its link was made, which is an event.
        let follows = |item: &str| item.contains("/mail-rate: ") || item.contains("type=password.reset_requested");
        let items =
            |outcome: &Self| -> Vec<String> { outcome.items.iter().filter(|item| more.is_empty() || !follows(item)).cloned().collect() };
        this.answers == order.answers
            && items(&this) == items(&order)
            && this.noted.is_subset(&order.noted)
            && all_sent
            && (more.is_empty() || may_be)
    }

    /// Without what may be as in neither order.
    pub fn as_compared(&self, operations: [Operation; 2]) -> Self {
        let mut this = self.clone();
        // The record of mail says what happened in which order.
        this.items.retain(|item| !item.contains("/mail: "));
        if operations.contains(&Operation::Show) {
            // It reads an account, its sessions and its link one after the other.
            this.answers.retain(|answer| !answer.starts_with("Show: "));
        }
        if operations[0] == operations[1] && [Operation::Edit, Operation::EditBoth].contains(&operations[0]) {
            // Of two changes to the same value at once, both are written and told; the later of two one after the other changes nothing.
            this.items.dedup();
        }
        if operations[0] == Operation::Delete {
            // While it is being deleted, an account is one that is switched off.
            let off = [SWITCHED_OFF, NO_PASSWORD, NO_FIELD];
            this.answers
                .iter_mut()
                .for_each(|answer| *answer = off.iter().fold(answer.clone(), |answer, off| answer.replace(off, NO_ACCOUNT)));
            this.answers.retain(|answer| !answer.starts_with("List: ") && !answer.starts_with("Count: "));
        }
        if operations[0] == Operation::Sweep {
            this.answers
                .iter_mut()
                .for_each(|answer| *answer = HAS_BEGUN.iter().fold(answer.clone(), |answer, begun| answer.replace(begun, NO_ACCOUNT)));
        }
        let notes = [Operation::Change, Operation::Leave].contains(&operations[0]);
        if notes && operations[1] == Operation::ConfirmAddress {
            // The notice goes to the mailbox that the account had when it was asked for, which is one of its own still.
            this.items.retain(|item| !item.starts_with("notice#"));
        }
        let renames = [Operation::SetEmail, Operation::SetUsername, Operation::ConfirmAddress];
        if operations[0] == Operation::Import && renames.contains(&operations[1]) {
            // It reads claims and account one after the other, so the reason of its refusal may name a name that was free by then.
            this.answers.retain(|answer| !answer.starts_with("Import: "));
        }
        if operations == [Operation::Login, Operation::Delete] {
            // A session opens nothing without its account, and expires; a transaction for every login would cost twice as much (ARCHITECTURE.md).
            this.items.retain(|item| !item.contains("session#the session of a login"));
            this.unsound.retain(|unsound| !(unsound.starts_with("session ") && unsound.ends_with("its account is gone")));
        }
        if operations.contains(&Operation::Delete) || operations.contains(&Operation::Sweep) {
            // What a deletion has done before another operation could is told of by the deletion's event: sessions that are over, and an account that
            // is activated while it is being deleted.
            let ends =
                [Operation::Logout, Operation::LogoutAll, Operation::EndSessions].iter().any(|operation| operations.contains(operation));
            let switches = operations.contains(&Operation::On);
            let is_other = |item: &str| {
                ends && item.contains("type=session.ended")
                    || switches && (item.contains("type=account.activated") || item.contains("type=account.deactivated"))
            };
            this.items.retain(|item| !is_other(item));
        }
        if [Operation::Logout, Operation::LogoutAll].contains(&operations[0]) && operations[1] == Operation::Leave {
            // It was authenticated before the deletion ended its session. What ends twice has ended.
            this.answers.retain(|answer| !answer.starts_with("Logout"));
            this.items.retain(|item| !item.starts_with("account#mara/account: ") && !item.contains("type=session.ended"));
        }
        if operations.iter().all(|operation| [Operation::Logout, Operation::LogoutAll].contains(operation)) {
            // A request is carried out that was authenticated before its session ended. What ends twice has ended.
            this.answers.clear();
            this.items.retain(|item| !item.starts_with("account#mara/") && !item.contains("type=session.ended"));
        }
        this
    }

    /// The lines in which this differs from another outcome.
    pub fn differs(&self, other: &Self) -> Vec<String> {
        let lines = |outcome: &Self| -> Vec<String> {
            let noted = outcome.noted.iter().map(|note| format!("noted: {note}"));
            let mails = outcome.mails.iter().map(|mail| format!("mail: {mail}"));
            outcome.answers.iter().cloned().chain(outcome.items.iter().cloned()).chain(mails).chain(noted).collect()
        };
        let (mine, theirs) = (lines(self), lines(other));
        let only = |these: &[String], those: &[String], sign: &str| -> Vec<String> {
            these.iter().filter(|line| !those.contains(line)).map(|line| format!("{sign} {line}")).collect()
        };
        [only(&mine, &theirs, "+"), only(&theirs, &mine, "-")].concat()
    }
}
