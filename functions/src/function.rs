//! The traits of functions: of every function, of endpoints of the API, and of handlers of other events.

use std::{future::Future, time::Duration};

use doorward::{
    http::{Answer, Method, Refusal, Request},
    page::Pages,
    store::Table,
};
use lambda_runtime::Error;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Guard, Wiring};

/// A Lambda function.
pub trait Function: Sized + Send + Sync + 'static {
    /// The name of its binary and of its zip, and the suffix of its name in a deployment.
    const NAME: &'static str;
    /// The tables that it uses. Its configuration contains their names.
    const TABLES: &'static [Table];

    /// Builds the function from its configuration. Calls no service.
    fn new(wiring: &mut Wiring) -> Self;
}

/// A function that answers requests of the API.
pub trait Endpoint: Function {
    /// Its routes, with a trailing slash, which a request may leave out.
    const ROUTES: &'static [&'static str];
    /// The methods of its routes, without OPTIONS, which the edge answers.
    const METHODS: &'static [Method] = &[Method::POST];
    /// Its guard, if it requires a session. [`Endpoint::handle`] authenticates the request with it. The edge does so if the method is none of the
    /// endpoint's, because 401 takes precedence over 405.
    const GUARD: Option<fn(&Self) -> &Guard> = None;
    /// The page of its routes in a browser.
    const PAGE: PageRole = PageRole::None;

    /// Answers or refuses a request with one of the methods.
    fn handle(&self, request: Request) -> impl Future<Output = Result<Answer, Refusal>> + Send;

    /// The pages for refusals that every endpoint can give, if this endpoint has pages.
    fn pages(&self) -> Option<&Pages> {
        None
    }
}

/// A function that is not called by the API.
pub trait Handler: Function {
    /// Its event.
    type Event: DeserializeOwned + Send;
    /// Its result.
    type Answer: Serialize + Send;

    /// Handles an event within this time. An error is returned to the caller, which may call again.
    fn handle(&self, event: Self::Event, time: Duration) -> impl Future<Output = Result<Self::Answer, Error>> + Send;
}

/// The page of an endpoint's routes in a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageRole {
    /// They have no page and answer only JSON.
    None,
    /// A form, for browsers. GET is not one of their methods: a browser gets the form, a program 405.
    Form,
    /// The page that a mailed link opens. GET is one of their methods, for browsers and programs alike.
    MailedLink,
}
