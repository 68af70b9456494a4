//! Every page with sample data, for previews and snapshots.

use super::{Asks, Page};
use crate::{
    clock::Timestamp,
    http::{Complaint, FieldErrors},
    password::Violation,
};

impl Page<'_> {
    /// Calls `show` with every page and its name.
    pub fn samples(mut show: impl FnMut(&'static str, &Page<'_>)) {
        let (token, username) = ("dwr_AZsW0t9gcbuyT3Z1bZ5c3nJ1Q0d1vK2xq7f8sVt0n4uYx3JmL9wPzA6hRkDe5GiB", "mara.lindgren");
        let nothing = FieldErrors::default();
        show("reset", &Page::Reset { token, username, least: 8, errors: &nothing });
        let mut errors = FieldErrors::default();
        for violation in [Violation::LikeUsername, Violation::TooShort(8), Violation::Common, Violation::Numeric] {
            errors.add("password", violation);
        }
        show("reset-refused", &Page::Reset { token, username: "o'neill+<bits>@example.com", least: 8, errors: &errors });
        show("reset-mismatch", &Page::Reset { token, username, least: 8, errors: &FieldErrors::one("again", Complaint::Mismatch) });
        show("done", &Page::Done);
        show("dead", &Page::Dead);
        show("ask", &Page::Ask { asks: Asks::ToReset, email: "", errors: &nothing });
        let (email, errors) = ("mara'<lindgren>+work", FieldErrors::one("email", Complaint::Email));
        show("ask-refused", &Page::Ask { asks: Asks::ToReset, email, errors: &errors });
        show("asked", &Page::Asked);
        let token = "dwn_AZsW0t9gcbuyT3Z1bZ5c3nJ1Q0d1vK2xq7f8sVt0n4uYx3JmL9wPzA6hRkDe5GiB";
        show("disavow", &Page::Disavow { token, due_at: None, gives_back: false, errors: &nothing });
        show(
            "disavow-deletion",
            &Page::Disavow { token, due_at: Timestamp::from_second(1_767_532_200).ok(), gives_back: false, errors: &nothing },
        );
        show("disavow-address", &Page::Disavow { token, due_at: None, gives_back: true, errors: &nothing });
        show(
            "disavow-unticked",
            &Page::Disavow { token, due_at: None, gives_back: false, errors: &FieldErrors::one("not_me", Complaint::Required) },
        );
        show("disavowed", &Page::Disavowed);
        show("dead-disavowal", &Page::DeadDisavowal);
        let token = "dwv_AZsW0t9gcbuyT3Z1bZ5c3nJ1Q0d1vK2xq7f8sVt0n4uYx3JmL9wPzA6hRkDe5GiB";
        show("verify", &Page::Verify { token, username: "o'neill+<bits>@example.com", errors: &nothing });
        let unticked = FieldErrors::one("mine", Complaint::Required);
        show("verify-unticked", &Page::Verify { token, username: "mara.lindgren", errors: &unticked });
        show("verified", &Page::Verified);
        show("dead-verification", &Page::DeadVerification);
        show("ask-to-verify", &Page::Ask { asks: Asks::ToVerify, email: "", errors: &nothing });
        show("asked-to-verify", &Page::AskedToVerify);
        show("throttled", &Page::Throttled { retry_after: 241 });
        show("foreign", &Page::Foreign);
        show("fault", &Page::Fault);
    }
}
