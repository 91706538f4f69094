//! The module inside Envoy: the proxy-wasm contexts.
//!
//! Nothing is decided here. Envoy's callbacks become calls on [`Exchange`] and [`Worker`], which see Envoy through
//! [`envoy::Envoy`] alone. Three facts of the host shape this file:
//!
//! * The old and the new configuration live side by side in one VM while old streams drain, so nothing is static:
//!   everything hangs from the root context.
//! * Replies go to the context that was active when a call was made. An exchange calls only within its own stream's
//!   events; one that waits for what its root does is woken from there, with the effective context switched for as long.
//! * A context that is gone must not be called: `set_effective_context` tells.

mod abi;
#[cfg(feature = "allocator")]
mod allocator;
mod envoy;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

use crate::exchange::{Exchange, Worker};
use crate::host::{Flow, Host, Level, LocalAnswer, Reply};
use abi::{Buffer, Map};
use envoy::Envoy;

/// How often a worker looks after its keys, its records and the exchanges that wait.
const TICK_MILLISECONDS: u32 = 50;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|id| -> Box<dyn RootContext> { Box::new(Root::new(id)) });
}}

type Streams = Rc<RefCell<HashMap<u32, Weak<RefCell<Exchange>>>>>;

struct Root {
    id: u32,
    host: Rc<Envoy>,
    worker: Option<Rc<Worker>>,
    streams: Streams,
    leaving: bool,
}

impl Root {
    fn new(id: u32) -> Self {
        Self { id, host: Rc::new(Envoy::new(id)), worker: None, streams: Rc::default(), leaving: false }
    }

    /// Lets exchanges go on whose wait is over.
    fn wake(&self, ids: &[u32]) {
        for id in ids {
            let exchange = self.streams.borrow().get(id).and_then(Weak::upgrade);
            let Some(exchange) = exchange else { continue };
            if self.host.act_as(*id)
                && let Ok(mut exchange) = exchange.try_borrow_mut()
            {
                exchange.wake(&*self.host);
            }
        }
        if !ids.is_empty() {
            self.host.act_as(self.id);
        }
    }
}

impl Root {
    /// Gives an exchange the reply to a call that it made while the root's own event woke it: such a reply comes here.
    fn hand_on(&self, id: u32, token: u32, reply: &Reply) {
        let exchange = self.streams.borrow().get(&id).and_then(Weak::upgrade);
        if let Some(exchange) = exchange
            && self.host.act_as(id)
            && let Ok(mut exchange) = exchange.try_borrow_mut()
        {
            exchange.reply(&*self.host, token, reply);
        }
        self.host.act_as(self.id);
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, trailers: usize) {
        self.host.enter(self.id);
        let Some(worker) = &self.worker else { return };
        let reply = reply(headers, body, trailers);
        if let Some(asker) = worker.asker(token) {
            return self.hand_on(asker, token, &reply);
        }
        let ready = worker.reply(&*self.host, token, &reply);
        self.wake(&ready);
    }

    fn on_done(&mut self) -> bool {
        self.host.enter(self.id);
        let Some(worker) = &self.worker else { return true };
        self.leaving = true;
        // Not done while records wait for the collector: the tick says when.
        worker.leave(&*self.host)
    }
}

/// Reads the answer to a call. Without headers the call broke, and its maps must not be asked for.
fn reply(headers: usize, body: usize, trailers: usize) -> Reply {
    if headers == 0 {
        return Reply::Broken;
    }
    let mut all = abi::map(Map::CallHeaders);
    let status = all
        .iter()
        .find(|(name, _)| name == b":status")
        .and_then(|(_, value)| std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()));
    let Some(status) = status else { return Reply::Broken };
    all.retain(|(name, _)| !name.starts_with(b":"));
    if trailers > 0 {
        all.extend(abi::map(Map::CallTrailers));
    }
    let body = if body == 0 { Vec::new() } else { abi::buffer(Buffer::CallBody, body).unwrap_or_default() };
    Reply::Answer { status, headers: all, body }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        self.host.enter(self.id);
        let configuration = abi::buffer(Buffer::PluginConfiguration, size).unwrap_or_default();
        match Worker::start(&*self.host, &configuration) {
            Ok(worker) => {
                self.worker = Some(Rc::new(worker));
                abi::set_tick_period(TICK_MILLISECONDS);
                true
            }
            Err(problems) => {
                for problem in problems {
                    self.host.log(Level::Error, &problem.to_string());
                }
                false
            }
        }
    }

    fn on_tick(&mut self) {
        self.host.enter(self.id);
        let Some(worker) = &self.worker else { return };
        self.host.relax();
        let ready = worker.tick(&*self.host);
        if self.leaving && worker.leave(&*self.host) {
            self.leaving = false;
            if proxy_wasm::hostcalls::done().is_err() {
                self.host.log(Level::Debug, "the proxy did not take our leave");
            }
            return;
        }
        self.wake(&ready);
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        let exchange =
            self.worker.as_ref().map(|worker| Rc::new(RefCell::new(Exchange::begin(Rc::clone(worker), id))));
        if let Some(exchange) = &exchange {
            self.streams.borrow_mut().insert(id, Rc::downgrade(exchange));
        }
        Some(Box::new(Call { id, host: Rc::clone(&self.host), exchange, streams: Rc::clone(&self.streams) }))
    }
}

/// One HTTP stream of Envoy.
struct Call {
    id: u32,
    host: Rc<Envoy>,
    /// `None` only where the root was never configured: then nothing passes.
    exchange: Option<Rc<RefCell<Exchange>>>,
    streams: Streams,
}

impl Call {
    fn step(&self, step: impl FnOnce(&mut Exchange, &Envoy) -> Flow) -> Action {
        let Some(exchange) = &self.exchange else {
            let details = "portcullis_not_configured".to_owned();
            self.host.respond(&LocalAnswer { status: 503, details, ..LocalAnswer::default() });
            return Action::Pause;
        };
        let Ok(mut exchange) = exchange.try_borrow_mut() else { return Action::Pause };
        self.host.enter(self.id);
        match step(&mut exchange, &self.host) {
            Flow::Continue => Action::Continue,
            Flow::Pause => Action::Pause,
        }
    }
}

impl Context for Call {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, trailers: usize) {
        self.host.enter(self.id);
        let reply = reply(headers, body, trailers);
        if let Some(exchange) = &self.exchange
            && let Ok(mut exchange) = exchange.try_borrow_mut()
        {
            exchange.reply(&*self.host, token, &reply);
        }
    }
}

impl HttpContext for Call {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        self.step(|exchange, host| exchange.request_head(host, end))
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        self.step(|exchange, host| exchange.request_body(host, size, end))
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.step(|exchange, host| exchange.request_trailers(host))
    }

    fn on_http_response_headers(&mut self, _: usize, end: bool) -> Action {
        self.step(|exchange, host| exchange.response_head(host, end))
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        self.step(|exchange, host| exchange.response_body(host, size, end))
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        self.step(|exchange, host| exchange.response_trailers(host))
    }

    fn on_log(&mut self) {
        self.host.enter(self.id);
        if let Some(exchange) = &self.exchange
            && let Ok(mut exchange) = exchange.try_borrow_mut()
        {
            exchange.finish(&*self.host);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.streams.borrow_mut().remove(&self.id);
    }
}
