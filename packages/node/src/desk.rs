//! Where threads leave what is for the JavaScript thread: one desk for each.
//!
//! A message wakes that thread unless another one has already, and it takes all that there are. An idle desk does not keep its
//! process going; while calls run, JavaScript sees to that itself. When the thread ends, so do the calls that began there.

use crate::{
    call::Ended,
    error::Failure,
    route::{Asked, Ticket},
    values::{JsGiven, JsReply, Reply, whole},
};
use futures::channel::oneshot;
use napi::{
    Env, Result, Status,
    bindgen_prelude::{Either, Function, Uint8Array},
    threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode},
};
use napi_derive::napi;
use sandbar_embed::{Cancel, LogLevel, LogRecord, Plugin};
use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{AcqRel, Relaxed, Release},
        },
    },
};

/// Log records that wait for the JavaScript thread; more are counted and dropped.
const LOGS_MAX: usize = 10_000;

/// The desk of one JavaScript thread.
pub(crate) struct Desk {
    wake: ThreadsafeFunction<(), (), (), Status, false, true>,
    is_woken: AtomicBool,
    papers: Mutex<Papers>,
    asks: AtomicU64,
}

/// What lies on a desk.
#[derive(Default)]
struct Papers {
    is_closed: bool,
    messages: Vec<Message>,
    logs: VecDeque<(u32, LogRecord)>,
    logs_dropped: u64,
    /// What ends the calls that run.
    running: HashMap<Ticket, Cancel>,
    /// Where replies go, by the number of the question.
    asked: HashMap<u64, oneshot::Sender<Reply>>,
    /// Plugins that were loaded and not fetched yet.
    loaded: HashMap<Ticket, Plugin>,
}

enum Message {
    Ended(Ticket, Ended),
    Asked(Ticket, u64, Asked),
}

/// A message, as JavaScript takes it.
#[napi(object)]
pub struct JsMessage {
    /// Whose it is.
    pub ticket: f64,
    /// How it ended.
    pub ended: Option<JsEnded>,
    /// What its guest asks for.
    pub asked: Option<JsAsked>,
}

/// How something ended.
#[napi(object)]
pub struct JsEnded {
    /// What came of it.
    pub value: Option<Either<String, Uint8Array>>,
    /// Why nothing did, in JSON.
    pub failure: Option<String>,
    /// The receipt in JSON, where it was asked for.
    pub receipt: Option<String>,
}

/// A function that a guest calls.
#[napi(object)]
pub struct JsAsked {
    /// The number of the question.
    pub id: f64,
    /// The plugin's key.
    pub key: u32,
    /// The function's place in its list.
    pub index: u32,
    /// What the guest gives.
    pub given: Either<Vec<crate::values::JsValue>, String>,
    /// The call's name.
    pub call: String,
    /// When the call has to have ended, in nanoseconds of the monotonic clock.
    pub deadline_ns: f64,
}

/// A log record, as JavaScript takes it.
#[napi(object)]
pub struct JsLogRecord {
    /// The plugin's key; none for a record of the desk's own.
    pub key: Option<u32>,
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The guest.
    pub guest: String,
    /// The call.
    pub call_id: String,
    /// What was said.
    pub message: String,
}

/// The desk in JavaScript.
#[napi(js_name = "Desk")]
pub struct JsDesk(pub(crate) Arc<Desk>);

#[napi]
impl JsDesk {
    /// Sets a desk up. `wake` is called, soon after, when there is something on it.
    #[napi(constructor)]
    pub fn new(env: Env, wake: Function<'_, (), ()>) -> Result<JsDesk> {
        let desk = Arc::new(Desk {
            wake: wake.build_threadsafe_function::<()>().weak::<true>().build()?,
            is_woken: AtomicBool::new(false),
            papers: Mutex::default(),
            asks: AtomicU64::new(0),
        });
        env.add_env_cleanup_hook(desk.clone(), |desk| desk.close())?;
        Ok(JsDesk(desk))
    }

    /// Takes the messages.
    #[napi]
    pub fn take(&self) -> Vec<JsMessage> {
        self.0.is_woken.store(false, Release);
        let messages = mem::take(&mut self.0.papers().messages);
        messages.into_iter().map(|message| message.shown(&self.0)).collect()
    }

    /// Takes the log records.
    #[napi]
    pub fn take_logs(&self) -> Vec<JsLogRecord> {
        let mut papers = self.0.papers();
        let (logs, dropped) = (mem::take(&mut papers.logs), mem::take(&mut papers.logs_dropped));
        drop(papers);
        let dropped = (dropped > 0).then(|| JsLogRecord {
            key: None,
            level: level(LogLevel::Warn).to_owned(),
            guest: String::new(),
            call_id: String::new(),
            message: format!("{dropped} log records were dropped, since they came faster than they were taken"),
        });
        let shown = logs.into_iter().map(|(key, LogRecord { level: how, guest, call, message })| JsLogRecord {
            key: Some(key),
            level: level(how).to_owned(),
            guest: guest.to_string(),
            call_id: call.to_string(),
            message,
        });
        shown.chain(dropped).collect()
    }

    /// Answers a question.
    #[napi]
    pub fn answer(&self, id: f64, reply: JsReply) {
        let sender = self.0.papers().asked.remove(&whole(id));
        if let Some(sender) = sender {
            // Its call may have ended.
            let _ = sender.send(reply.into());
        }
    }

    /// Cancels a call.
    #[napi]
    pub fn cancel(&self, ticket: f64) {
        let cancel = self.0.papers().running.get(&whole(ticket)).cloned();
        if let Some(cancel) = cancel {
            cancel.cancel();
        }
    }
}

impl Desk {
    /// Leaves word of how something ended.
    pub(crate) fn end(&self, ticket: Ticket, ended: Ended) {
        self.papers().running.remove(&ticket);
        self.leave(Message::Ended(ticket, ended));
    }

    /// Asks for a function of the host.
    pub(crate) fn ask(&self, ticket: Ticket, asked: Asked) {
        let id = self.asks.fetch_add(1, Relaxed);
        self.leave(Message::Asked(ticket, id, asked));
    }

    /// Leaves a log record.
    pub(crate) fn log(&self, key: u32, record: LogRecord) {
        let mut papers = self.papers();
        if papers.is_closed {
            return;
        }
        if papers.logs.len() < LOGS_MAX {
            papers.logs.push_back((key, record));
        } else {
            papers.logs_dropped += 1;
        }
        drop(papers);
        self.ring();
    }

    /// Leaves a plugin to be fetched.
    pub(crate) fn leave_plugin(&self, ticket: Ticket, plugin: Plugin) {
        let mut papers = self.papers();
        if !papers.is_closed {
            papers.loaded.insert(ticket, plugin);
        }
    }

    /// Fetches a plugin.
    pub(crate) fn fetch_plugin(&self, ticket: Ticket) -> Option<Plugin> {
        self.papers().loaded.remove(&ticket)
    }

    /// Notes a call that is about to run, and gives what ends it.
    pub(crate) fn begin(&self, ticket: Ticket) -> Cancel {
        let cancel = Cancel::new();
        let mut papers = self.papers();
        if papers.is_closed {
            cancel.cancel();
        } else {
            papers.running.insert(ticket, cancel.clone());
        }
        cancel
    }

    /// Forgets a call that ended.
    pub(crate) fn forget(&self, ticket: Ticket) {
        self.papers().running.remove(&ticket);
    }

    /// Does something on the JavaScript thread that may end what has this ticket, and gives its end, for which that thread is not
    /// woken then.
    pub(crate) fn at_once(&self, ticket: Ticket, does: impl FnOnce()) -> Option<Ended> {
        let was_woken = self.is_woken.swap(true, AcqRel);
        does();
        let mut papers = self.papers();
        let is_it = |message: &Message| matches!(message, Message::Ended(of, _) if *of == ticket);
        let ended = papers.messages.iter().rposition(is_it).map(|at| papers.messages.remove(at));
        drop(papers);
        if !was_woken {
            self.is_woken.store(false, Release);
            // Others may have left something meanwhile, for whom it was woken.
            let papers = self.papers();
            let is_empty = papers.messages.is_empty() && papers.logs.is_empty();
            drop(papers);
            if !is_empty {
                self.ring();
            }
        }
        match ended? {
            Message::Ended(_, ended) => Some(ended),
            Message::Asked(..) => None,
        }
    }

    fn leave(&self, message: Message) {
        let mut papers = self.papers();
        if papers.is_closed {
            // Dropped: a guest that asked hears that nobody is there.
            return;
        }
        papers.messages.push(message);
        drop(papers);
        self.ring();
    }

    fn ring(&self) {
        if !self.is_woken.swap(true, AcqRel) {
            // It says that the thread is ending, which closes the desk too.
            let _ = self.wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// The JavaScript thread ends: so does what it began.
    fn close(&self) {
        let left = {
            let mut papers = self.papers();
            mem::replace(&mut *papers, Papers { is_closed: true, ..Papers::default() })
        };
        left.running.values().for_each(Cancel::cancel);
    }

    fn papers(&self) -> MutexGuard<'_, Papers> {
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Message {
    #[allow(clippy::cast_precision_loss, reason = "tickets and numbers of questions begin at zero")]
    fn shown(self, desk: &Desk) -> JsMessage {
        match self {
            Message::Ended(ticket, ended) => {
                JsMessage { ticket: ticket as f64, ended: Some(ended.into()), asked: None }
            }
            Message::Asked(ticket, id, Asked { key, index, given, call, deadline_ns, reply }) => {
                desk.papers().asked.insert(id, reply);
                let (id, deadline_ns, given) = (id as f64, deadline_ns as f64, JsGiven::from(given));
                let asked = JsAsked { id, key, index, given, call, deadline_ns };
                JsMessage { ticket: ticket as f64, ended: None, asked: Some(asked) }
            }
        }
    }
}

impl From<Ended> for JsEnded {
    fn from(ended: Ended) -> JsEnded {
        let Ended { came, receipt } = ended;
        let (value, failure) = match came {
            Ok(value) => (value.map(Into::into), None),
            Err(Failure(json)) => (None, Some(json)),
        };
        JsEnded { value, failure, receipt }
    }
}

fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Trace => "trace",
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}
