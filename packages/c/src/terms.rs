//! What a plugin is loaded with: options, functions of the host, and who is told what.

use crate::{
    call::{self, Function},
    callback::{Callback, Destructor, UserData},
    error::Error,
    log::{self, LogCallback, LogRecord},
    plugin::Plugin,
    pointer::{self, null},
    status::{Status, always, ends},
    value::Bytes,
};
use sandbar_embed::{PluginBuilder, dynamic};
use serde_json::Value;
use std::{
    ffi::{c_char, c_void},
    sync::Arc,
};

/// What plugins are loaded with. It can be used for many plugins, and be freed when they are loaded. While it is changed, one thread
/// may use it.
#[derive(Default)]
pub struct Terms {
    options: Option<Value>,
    functions: Vec<Given>,
    log: Option<Arc<Callback<LogBody>>>,
    receipts: Option<Arc<Callback<ReceiptsBody>>>,
    self_test: Option<Arc<Callback<SelfTestBody>>>,
}

/// A function of the host, by the module and the name that guests import.
struct Given {
    module: String,
    name: String,
    function: sandbar_embed::Function,
}

type LogBody = extern "C" fn(*const LogRecord, *mut c_void);
type ReceiptsBody = extern "C" fn(Bytes, *mut c_void);
type SelfTestBody = extern "C" fn(*const Plugin, *mut c_void) -> *const c_char;

/// Takes the receipt of each call as JSON, on the thread that ends it, at one time on several.
pub type ReceiptsCallback = Option<extern "C" fn(receipt: Bytes, user_data: *mut c_void)>;

/// Tries a version of a plugin before it takes calls. Gives null where it passes, otherwise what is against it, a text that stays at
/// least until this thread calls the library again.
pub type SelfTestCallback = Option<extern "C" fn(plugin: *const Plugin, user_data: *mut c_void) -> *const c_char>;

impl Terms {
    /// Lets a plugin have them.
    pub(crate) fn on(&self, mut builder: PluginBuilder) -> Result<PluginBuilder, Error> {
        if let Some(options) = &self.options {
            builder = builder.options(options)?;
        }
        for Given { module, name, function } in &self.functions {
            builder = builder.add(module, name, function.clone());
        }
        if let Some(callback) = self.log.clone() {
            builder = builder.log(move |record| log::tell(&callback, &record));
        }
        if let Some(callback) = self.receipts.clone() {
            builder = builder.on_receipt(move |receipt| {
                let json = serde_json::to_vec(receipt).unwrap_or_default();
                (callback.function)(Bytes { data: json.as_ptr(), length: json.len() }, callback.user_data());
            });
        }
        if let Some(callback) = self.self_test.clone() {
            builder = builder.self_test(move |plugin| {
                let plugin = Plugin(plugin.clone());
                let against = (callback.function)(&raw const plugin, callback.user_data());
                match pointer::optional_text(against, "against") {
                    Ok(None) => Ok(()),
                    Ok(Some(against)) => Err(against.to_owned()),
                    Err(error) => Err(error.text().to_owned()),
                }
            });
        }
        Ok(builder)
    }
}

/// Makes terms from options as JSON, or from none where `options` is null: `name`, `grants`, `limits`, `config`, `sandbox` and so
/// on. They are told wrong when a plugin is loaded.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_terms_new_v1(
    options: *const c_char,
    terms: *mut *mut Terms,
    error: *mut *mut Error,
) -> Status {
    ends(error, || {
        pointer::give(terms, None);
        let options = pointer::optional_text(options, "options")?.map(|text| json(text, "options")).transpose()?;
        if terms.is_null() {
            return Err(null("terms"));
        }
        pointer::give(terms, Some(Terms { options, ..Terms::default() }));
        Ok(())
    })
}

/// Reads options.
pub(crate) fn json(text: &str, name: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|error| Error::argument(&format!("`{name}`: expected JSON: {error}")))
}

/// Gives plugins a function under the module (`env`; the interface of a component's import) and the name that they import. `form`
/// says what a core module gives and wants, such as `(i32, text) -> i64`; where it is null, whatever numbers the guest's import
/// says. Components give one argument, a JSON array. `destructor` frees `user_data` when no plugin can call the function any more,
/// also where this fails; it may be null.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_terms_function_v1(
    terms: Option<&mut Terms>,
    module: *const c_char,
    name: *const c_char,
    form: *const c_char,
    function: Function,
    user_data: *mut c_void,
    destructor: Destructor,
    error: *mut *mut Error,
) -> Status {
    let user_data = UserData::new(user_data, destructor);
    ends(error, || {
        let terms = terms.ok_or_else(|| null("terms"))?;
        let (module, name) = (pointer::text(module, "module")?, pointer::text(name, "name")?);
        let form = pointer::optional_text(form, "form")?.map(str::parse::<dynamic::Form>).transpose();
        let form = form.map_err(|error| Error::argument(&format!("`form`: {error}")))?;
        let callback = Arc::new(user_data.of(function.ok_or_else(|| null("function"))?));
        let function = dynamic::function(form, move |host, given| call::answer(&callback, host, &given));
        terms.functions.push(Given { module: module.to_owned(), name: name.to_owned(), function });
        Ok(())
    })
}

/// Tells what plugins say, and what is said of them.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_terms_log_v1(
    terms: Option<&mut Terms>,
    log: LogCallback,
    user_data: *mut c_void,
    destructor: Destructor,
    error: *mut *mut Error,
) -> Status {
    set(terms, UserData::new(user_data, destructor), log, (error, "log"), |terms, log| terms.log = Some(log))
}

/// Tells the receipt of each call.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_terms_receipts_v1(
    terms: Option<&mut Terms>,
    receipts: ReceiptsCallback,
    user_data: *mut c_void,
    destructor: Destructor,
    error: *mut *mut Error,
) -> Status {
    let user_data = UserData::new(user_data, destructor);
    set(terms, user_data, receipts, (error, "receipts"), |terms, receipts| terms.receipts = Some(receipts))
}

/// Tries each version of a plugin before it takes calls, the first one too.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_terms_self_test_v1(
    terms: Option<&mut Terms>,
    self_test: SelfTestCallback,
    user_data: *mut c_void,
    destructor: Destructor,
    error: *mut *mut Error,
) -> Status {
    let user_data = UserData::new(user_data, destructor);
    set(terms, user_data, self_test, (error, "self_test"), |terms, self_test| terms.self_test = Some(self_test))
}

/// Sets a callback.
fn set<F>(
    terms: Option<&mut Terms>,
    user_data: UserData,
    function: Option<F>,
    (error, name): (*mut *mut Error, &str),
    set: impl FnOnce(&mut Terms, Arc<Callback<F>>),
) -> Status {
    ends(error, || {
        let terms = terms.ok_or_else(|| null("terms"))?;
        let function = function.ok_or_else(|| null(name))?;
        set(terms, Arc::new(user_data.of(function)));
        Ok(())
    })
}

/// Frees terms; null is none. Plugins that were loaded with them keep what they need.
#[unsafe(no_mangle)]
pub extern "C" fn sandbar_terms_free_v1(terms: Option<Box<Terms>>) {
    always(|| drop(terms));
}
