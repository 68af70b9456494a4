//! POST `/api/register/`: creates an account.

use std::sync::Arc;

use doorward::{
    account::{Account, AccountId, EmailAddress, KnownNetwork, MAX_EMAIL_LENGTH, Registered, Taken, Username},
    clock::Clock,
    config::span,
    entropy::Entropy,
    http::{self, Answer, Complaint, Field, FieldErrors, Fields, Form, Refusal, Request, StatusCode},
    limit::{ClientLimit, Limit},
    metric::Metric,
    outbox::VerificationRequest,
    password::{AcceptedPassword, Hasher, Owner, Policy, TypedPassword},
    profile::{Asked, FIRST_NAME, LAST_NAME, Profile, ProfileFields, Shown},
    registration::Registration,
    store::{Store, Table},
    telemetry,
    text::MAX_NORMALIZED_BYTES,
    verification::AddressVerification,
};
use serde::Serialize;

use crate::{
    Endpoint, Function, Wiring,
    username::{NOT_OWN_ADDRESS, USERNAME_TAKEN, parsed_username},
};

/// The message for an address that is taken.
const EMAIL_TAKEN: &str = "user with this email already exists.";

pub struct Register {
    store: Store,
    hasher: Arc<Hasher>,
    policy: Policy,
    registration: Registration,
    verification: AddressVerification,
    client_limit: ClientLimit,
    fields: ProfileFields,
    clock: Clock,
    entropy: Entropy,
}

struct RegisterBody {
    username: Username,
    email: EmailAddress,
    password: AcceptedPassword,
    profile: Profile,
}

#[derive(Serialize)]
struct RegisterAnswer<'a> {
    username: &'a str,
    email: &'a str,
    #[serde(flatten)]
    fields: Shown<'a>,
}

impl Function for Register {
    const NAME: &str = "register";
    const TABLES: &[Table] = &[Table::Accounts, Table::Limits, Table::Outbox];

    fn new(wiring: &mut Wiring) -> Self {
        let verification = AddressVerification::configured(&mut wiring.settings);
        Self {
            hasher: wiring.hasher(),
            policy: Policy::configured(&mut wiring.settings),
            registration: Registration::configured(&mut wiring.settings, verification),
            verification,
            fields: ProfileFields::configured(&mut wiring.settings),
            client_limit: ClientLimit::configured(
                &mut wiring.settings,
                "register-client",
                "REGISTER_CLIENT_LIMIT",
                Limit::new(20, span::hours(1)),
                Metric::REGISTRATIONS_LIMITED,
            ),
            store: wiring.store.clone(),
            clock: wiring.clock.clone(),
            entropy: wiring.entropy.clone(),
        }
    }
}

impl Endpoint for Register {
    const ROUTES: &[&str] = &["/api/register/"];

    async fn handle(&self, request: Request) -> Result<Answer, Refusal> {
        if self.registration == Registration::Closed {
            return Err(Refusal::RegistrationClosed);
        }
        let body = RegisterBody::read(request.form()?, &self.policy, &self.fields)?;
        let now = self.clock.now();
        self.client_limit.admit(&self.store, request.client, now).await?;

        let password = self.hasher.hash(body.password).await?;
        let id = AccountId::from(self.entropy.uuid(now));
        let language = request.language().map(|language| language.tag().to_owned());
        let networks = vec![KnownNetwork::of(request.client, now)];
        let account = Account { language, networks, profile: body.profile, ..Account::new(id, body.username, body.email, password, now) };
        let registered = if self.verification.asks() {
            let email = account.email.clone();
            let asks = VerificationRequest { email, requested_at: now, caller: request.caller().in_language(account.language()) };
            match self.registration {
                Registration::Silent => self.store.register_silently(&account, &asks).await?,
                Registration::Open | Registration::Closed => self.store.register_and_verify(&account, &asks).await?,
            }
        } else {
            self.store.register(&account).await?
        };
        match registered {
            Registered::Now => {
                Metric::REGISTRATIONS.count();
                telemetry::note_account(account.id);
                tracing::info!("registered");
                Ok(http::with_status(
                    StatusCode::CREATED,
                    &RegisterAnswer {
                        username: account.username.as_str(),
                        email: account.email.as_str(),
                        fields: self.fields.shown(&account.profile),
                    },
                ))
            }
            Registered::Taken(taken) => Err(refuse_taken(taken)),
        }
    }
}

impl RegisterBody {
    fn read(form: Form, policy: &Policy, declared: &ProfileFields) -> Result<Self, Refusal> {
        let mut fields = Fields::of(form);
        let typed_username = fields.take("username", Field::Text);
        let username = typed_username.as_deref().and_then(|text| parsed_username(&mut fields, "username", text));
        let typed_email = fields.take_checked("email", Field::Email, Some(MAX_EMAIL_LENGTH));
        let email = fields.parse("email", typed_email.as_ref(), EmailAddress::parse, Complaint::Email);
        if let (Some(username), Some(email)) = (&username, &email)
            && username.is_another_address_than(email)
        {
            fields.complain("username", NOT_OWN_ADDRESS);
        }
        let password = fields.take_checked("password", Field::Verbatim, Some(policy.max_length));
        // The password is validated even if other fields are wrong. It is compared with every word of both names. A text that is too long for a name is
        // not compared, because this work is done before the client's attempt is counted.
        let password = password.filter(|_| !fields.has_complaint("password")).and_then(|password| {
            let name = |name| comparable(fields.glance(name).filter(|_| declared.takes_name(name)));
            let owner = Owner {
                username: comparable(typed_username.as_deref().map(String::as_str)),
                first_name: name(FIRST_NAME),
                last_name: name(LAST_NAME),
                email: comparable(typed_email.as_deref().map(String::as_str)),
            };
            match AcceptedPassword::new(TypedPassword::from(password), policy, &owner) {
                Ok(accepted) => Some(accepted),
                Err(violations) => {
                    for violation in &violations {
                        fields.complain("password", *violation);
                    }
                    None
                }
            }
        });
        let profile = Profile::of(&declared.read(&mut fields, Asked::Whole));
        let ((username, email), password) = fields.finish(username.zip(email).zip(password))?;
        Ok(Self { username, email, password, profile })
    }
}

/// The text as it was typed, or an empty one if it is too long for a name.
fn comparable(typed: Option<&str>) -> &str {
    typed.filter(|name| name.len() <= MAX_NORMALIZED_BYTES).unwrap_or_default()
}

fn refuse_taken(taken: Taken) -> Refusal {
    let mut errors = FieldErrors::default();
    if taken.username() {
        errors.add("username", USERNAME_TAKEN);
    }
    if taken.email() {
        errors.add("email", EMAIL_TAKEN);
    }
    Refusal::Fields(errors)
}
