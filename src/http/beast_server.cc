// The HTTP server on Boost.Beast and Asio. Nothing else includes them.
//
// One thread runs all handlers, so sessions need no locks. A session is one connection: it reads a
// head, asks the application, reads the body, hands the request over and writes what comes back,
// again and again. One timer per session holds the deadline of whatever it does at the moment.

#include <sys/socket.h>

#include <atomic>
#include <boost/asio/compose.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/format.h"
#include "http/server.h"
#include "http/tls.h"
#include "octet/error.h"

namespace octet::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;
using Parser = beast::http::request_parser<beast::http::string_body>;

constexpr std::uint32_t kHeaderBytes = 16 << 10;
constexpr std::size_t kHeaderLines = 100;
constexpr std::size_t kTargetBytes = 8 << 10;
constexpr std::size_t kBufferBytes = 64 << 10;  // read ahead of one connection
constexpr std::size_t kPendingBytes = 32
                                      << 20;    // of a growing answer that the client does not read
constexpr std::size_t kSlowestBytesPerMs = 32;  // below that a client of a long answer is cut off
constexpr milliseconds kLinger{2000};

bool is_chunked(const Headers& headers) {
  return find_header(headers, "Transfer-Encoding").has_value();
}

std::size_t count_of(const Headers& headers, std::string_view name) {
  std::size_t count = 0;
  for (const Header& header : headers) count += equal_without_case(header.name, name) ? 1 : 0;
  return count;
}

struct Refusal {
  int status;
  std::string message;
};

/// Rules on heads that Beast leaves to its users.
std::optional<Refusal> judge_head(const Headers& headers, std::size_t target_bytes,
                                  unsigned version) {
  if (version != 11 && version != 10) return Refusal{400, "HTTP version: expected 1.1 or 1.0"};
  if (target_bytes > kTargetBytes) {
    return Refusal{
        414, format("target: expected at most %zu bytes, found %zu", kTargetBytes, target_bytes)};
  }
  if (headers.size() > kHeaderLines) {
    return Refusal{
        431, format("headers: expected at most %zu, found %zu", kHeaderLines, headers.size())};
  }
  if (version == 11 && count_of(headers, "Host") != 1) {
    return Refusal{400, format("Host: expected one, found %zu", count_of(headers, "Host"))};
  }
  if (count_of(headers, "Content-Length") > 1) {
    return Refusal{400, "Content-Length: expected one, found several"};
  }
  const auto length = find_header(headers, "Content-Length").value_or("0");
  if (length.empty() || length.find_first_not_of("0123456789") != std::string_view::npos) {
    return Refusal{400, "Content-Length: expected digits"};
  }
  const auto coding = find_header(headers, "Transfer-Encoding");
  if (coding && (version == 10 || count_of(headers, "Content-Length") > 0)) {
    return Refusal{400, "Transfer-Encoding: expected without Content-Length, in HTTP/1.1"};
  }
  if (coding &&
      (count_of(headers, "Transfer-Encoding") > 1 || !equal_without_case(*coding, "chunked"))) {
    return Refusal{400, "Transfer-Encoding: expected chunked"};
  }
  if (count_of(headers, "Content-Encoding") > 0) {
    return Refusal{415, "Content-Encoding: expected none"};
  }
  return std::nullopt;
}

/// A socket, with TLS over it or without; what Asio calls an asynchronous stream. TLS here waits
/// for the socket and then moves what it can, so a connection without traffic holds no buffers.
class Stream {
 public:
  using executor_type = tcp::socket::executor_type;

  Stream(tcp::socket socket, const TlsIdentity* identity) : socket_(std::move(socket)) {
    error_code ignored;
    socket_.non_blocking(true, ignored);
    socket_.set_option(tcp::no_delay(true), ignored);
    if (identity) tls_.emplace(*identity, socket_.native_handle());
  }

  executor_type get_executor() { return socket_.get_executor(); }
  /// Without TLS, for who only waits or throws away.
  tcp::socket& socket() { return socket_; }
  [[nodiscard]] bool has_tls() const { return tls_.has_value(); }

  template <class Handler>
  void async_handshake(Handler&& handler) {
    run([this](std::size_t&) { return tls_->handshake(); }, std::forward<Handler>(handler));
  }
  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    if (!tls_) {
      socket_.async_read_some(buffers, std::forward<Handler>(handler));
      return;
    }
    const asio::mutable_buffer piece = first_of<asio::mutable_buffer>(buffers);
    run([this, piece](std::size_t& got) { return tls_->read(piece.data(), piece.size(), got); },
        std::forward<Handler>(handler));
  }
  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    if (!tls_) {
      socket_.async_write_some(buffers, std::forward<Handler>(handler));
      return;
    }
    const asio::const_buffer piece = first_of<asio::const_buffer>(buffers);
    run([this, piece](std::size_t& put) { return tls_->write(piece.data(), piece.size(), put); },
        std::forward<Handler>(handler));
  }

  /// Waits until there is something to read, or the end.
  template <class Handler>
  void async_wait_readable(Handler handler) {
    if (tls_ && tls_->has_pending()) {
      asio::post(get_executor(), [h = std::move(handler)]() mutable { h(error_code()); });
    } else {
      socket_.async_wait(tcp::socket::wait_read, std::move(handler));
    }
  }
  /// What is there already; an error when the client has left.
  std::size_t read_now(asio::mutable_buffer room, error_code& error) {
    std::size_t got = 0;
    if (!tls_) {
      got = socket_.read_some(room, error);
    } else if (const TlsResult result = tls_->read(room.data(), room.size(), got);
               is_failure(result) || result == TlsResult::kWaitWrite) {
      error = asio::error::eof;  // who makes us write to be read could keep us busy with it
    }
    if (error == asio::error::would_block) error = {};
    return got;
  }
  void shut_down_sending() {
    error_code ignored;
    if (tls_) tls_->close_notify();
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }
  void close() {
    error_code ignored;
    if (tls_) tls_->forget_socket();  // its number will be somebody else's
    socket_.close(ignored);
  }

 private:
  static bool is_failure(TlsResult result) {
    return result == TlsResult::kClosed || result == TlsResult::kFailed;
  }

  template <class Buffer, class Buffers>
  static Buffer first_of(const Buffers& buffers) {
    const auto end = asio::buffer_sequence_end(buffers);
    for (auto at = asio::buffer_sequence_begin(buffers); at != end; ++at) {
      if (Buffer(*at).size() > 0) return *at;
    }
    return {};
  }

  /// Tries `transfer` until it is done, each time when the socket is as it wants it.
  template <class Transfer, class Handler>
  void run(Transfer transfer, Handler&& handler) {
    const auto step = [this, transfer, begun = false](auto& self, error_code error = {},
                                                      std::size_t = 0) mutable {
      if (!std::exchange(begun, true)) {  // never within the call that begins it
        asio::post(get_executor(), std::move(self));
        return;
      }
      std::size_t moved = 0;
      const TlsResult result = error ? TlsResult::kFailed : transfer(moved);
      if (result == TlsResult::kDone) {
        self.complete({}, moved);
      } else if (is_failure(result)) {
        self.complete(error ? error : error_code(asio::error::eof), 0);
      } else {
        socket_.async_wait(
            result == TlsResult::kWaitRead ? tcp::socket::wait_read : tcp::socket::wait_write,
            std::move(self));
      }
    };
    asio::async_compose<Handler, void(error_code, std::size_t)>(step, handler, socket_);
  }

  tcp::socket socket_;
  std::optional<TlsConnection> tls_;
};

class Session;

/// What the sessions of a server share.
struct Shared {
  explicit Shared(const ServerOptions& o, Application& a) : options(o), application(a) {}

  const ServerOptions options;
  Application& application;
  std::unordered_set<Session*> sessions;
  std::unordered_map<std::string, std::size_t> peers;
  std::atomic<std::size_t> connections{0};
  bool stopping = false;
  asio::io_context io{1};  // the last member: its handlers hold sessions, which end with it
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, std::string peer, Shared& shared)
      : stream_(std::move(socket), shared.options.tls.get()),
        timer_(shared.io),
        peer_(std::move(peer)),
        shared_(shared) {
    shared_.sessions.insert(this);
    ++shared_.peers[peer_];
    shared_.connections = shared_.sessions.size();
    chunk_rule_ = [](std::uint64_t, beast::string_view extension, error_code& error) {
      if (!extension.empty()) error = beast::http::error::bad_chunk_extension;
    };
  }
  ~Session() {
    shared_.sessions.erase(this);
    if (--shared_.peers[peer_] == 0) shared_.peers.erase(peer_);
    shared_.connections = shared_.sessions.size();
    if (shared_.stopping && shared_.sessions.empty()) shared_.io.stop();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start() { stream_.has_tls() ? shake_hands() : read_head(); }

  /// The answers to exchange `number`; ignored when that is over.
  void answer(std::uint64_t number, const Response& response);
  void begin(std::uint64_t number, Response head, std::string heartbeat);
  void send(std::uint64_t number, std::string bytes);
  void end(std::uint64_t number);
  void on_gone(std::uint64_t number, std::function<void()> callback);

  /// Ends the connection unless an answer is being written.
  void stop() {
    keep_alive_ = false;
    if (!writing_) close();
  }

 private:
  void shake_hands();
  void await_request();
  void read_head();
  void take_head(error_code error);
  void fill_request();
  void read_body(std::size_t limit);
  void take_body(error_code error);
  void hand_over();
  void watch();
  void refuse(int status, const std::string& message);
  void write(std::string bytes, std::function<void()> then);
  void respond(const Response& response);
  void pump();
  void finish();
  void linger();
  void discard();
  void close();
  void deadline(milliseconds time, std::function<void()> action);

  Stream stream_;
  asio::steady_timer timer_;
  std::string peer_;
  Shared& shared_;
  beast::flat_buffer buffer_{kBufferBytes};
  std::optional<Parser> parser_;
  std::function<void(std::uint64_t, beast::string_view, error_code&)> chunk_rule_;
  Request request_;
  bool keep_alive_ = true;

  std::uint64_t exchange_ = 0;  // number of the latest one
  bool open_ = false;           // that one waits for its answer or its end
  bool growing_ = false;        // its head has been written
  bool ended_ = false;          // nothing more will be sent
  bool writing_ = false;
  std::string writing_bytes_, heartbeat_;
  std::deque<std::string> pending_;
  std::size_t pending_bytes_ = 0;
  std::function<void()> gone_;
};

class SessionExchange final : public Exchange {
 public:
  SessionExchange(std::shared_ptr<Session> session, std::uint64_t number, Shared& shared)
      : session_(std::move(session)), number_(number), shared_(shared) {}
  ~SessionExchange() override {
    if (!answered_) respond(shared_.application.error({}, 500, "the request was not answered"));
    if (growing_) end();
    // Whoever lets go of the exchange may be on any thread; sessions end on the server's own.
    asio::post(shared_.io, [s = std::move(session_)] {});
  }
  SessionExchange(const SessionExchange&) = delete;
  SessionExchange& operator=(const SessionExchange&) = delete;

  void respond(Response response) override {
    if (answered_.exchange(true)) return;
    post([r = std::move(response)](Session& s, std::uint64_t n) { s.answer(n, r); });
  }
  void begin(Response head, std::string heartbeat) override {
    if (answered_.exchange(true)) return;
    growing_ = true;
    post([h = std::move(head), b = std::move(heartbeat)](Session& s, std::uint64_t n) mutable {
      s.begin(n, std::move(h), std::move(b));
    });
  }
  void send(std::string bytes) override {
    if (!growing_) return;
    post([b = std::move(bytes)](Session& s, std::uint64_t n) mutable { s.send(n, std::move(b)); });
  }
  void end() override {
    if (!growing_.exchange(false)) return;
    post([](Session& s, std::uint64_t n) { s.end(n); });
  }
  void on_gone(std::function<void()> callback) override {
    post([c = std::move(callback)](Session& s, std::uint64_t n) mutable {
      s.on_gone(n, std::move(c));
    });
  }

 private:
  using Action = std::function<void(Session&, std::uint64_t)>;
  /// What is to be done on the server's thread, in the order in which it was asked for. Asio alone
  /// does not keep it: what its own thread posts waits for the end of the handler, what others post
  /// meanwhile does not.
  struct Actions {
    std::mutex mutex;
    std::vector<Action> waiting;
  };

  void post(Action action) {
    {
      const std::lock_guard lock(actions_->mutex);
      actions_->waiting.push_back(std::move(action));
    }
    asio::post(shared_.io, [s = session_, n = number_, actions = actions_] {
      std::vector<Action> ready;
      {
        const std::lock_guard lock(actions->mutex);
        ready.swap(actions->waiting);
      }
      for (const Action& act : ready) act(*s, n);
    });
  }

  std::shared_ptr<Actions> actions_ = std::make_shared<Actions>();
  std::shared_ptr<Session> session_;
  std::uint64_t number_;
  Shared& shared_;
  std::atomic<bool> answered_{false}, growing_{false};
};

void Session::deadline(milliseconds time, std::function<void()> action) {
  timer_.expires_after(time);
  timer_.async_wait([self = shared_from_this(), act = std::move(action)](error_code error) {
    if (!error) act();
  });
}

void Session::shake_hands() {
  deadline(shared_.options.handshake, [this] { close(); });
  stream_.async_handshake([self = shared_from_this()](error_code error, std::size_t) {
    error ? self->close() : self->read_head();
  });
}

void Session::await_request() {
  if (buffer_.size() > 0) {
    read_head();
    return;
  }
  deadline(shared_.options.idle, [this] { close(); });
  stream_.async_wait_readable(
      [self = shared_from_this()](error_code error) { error ? self->close() : self->read_head(); });
}

void Session::read_head() {
  parser_.emplace();
  parser_->header_limit(kHeaderBytes);
  parser_->body_limit(boost::none);  // judged below, by the application's limit
  deadline(shared_.options.header, [this] { close(); });
  beast::http::async_read_header(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](error_code error, std::size_t) { self->take_head(error); });
}

void Session::fill_request() {
  const auto& head = parser_->get();
  request_ =
      Request{.method = std::string(head.method_string()), .peer = peer_, .tls = stream_.has_tls()};
  const std::string target(head.target());
  const std::size_t mark = std::min(target.find('?'), target.size());
  request_.path = target.substr(0, mark);
  request_.query = target.substr(std::min(mark + 1, target.size()));
  for (const auto& field : head) {
    request_.headers.push_back({std::string(field.name_string()), std::string(field.value())});
  }
}

void Session::take_head(error_code error) {
  namespace bh = beast::http;
  if (error == bh::error::end_of_stream || error == bh::error::partial_message ||
      (error && error.category() != bh::make_error_code(bh::error::bad_method).category())) {
    close();
    return;
  }
  fill_request();
  keep_alive_ = !error && parser_->keep_alive() && !shared_.stopping;
  if (error == bh::error::header_limit) {
    refuse(431, format("headers: expected at most %u bytes, found more", kHeaderBytes));
    return;
  }
  if (error) {
    refuse(400, "request: expected HTTP/1.1, found " + error.message());
    return;
  }
  const auto& head = parser_->get();
  if (const auto refusal = judge_head(request_.headers, head.target().size(), head.version())) {
    refuse(refusal->status, refusal->message);
    return;
  }
  const auto path = decode_path(request_.path);
  if (!path || !path->starts_with('/')) {
    refuse(400, "target: expected a path");
    return;
  }
  request_.path = *path;
  Admission admission = shared_.application.admit(request_);
  if (admission.refusal) {
    if (!parser_->is_done()) keep_alive_ = false;  // its body is still under way
    open_ = true;
    respond(*admission.refusal);
    return;
  }
  read_body(admission.body_limit);
}

void Session::read_body(std::size_t limit) {
  const std::uint64_t announced = parser_->content_length().value_or(0);
  if (announced > limit || (is_chunked(request_.headers) && limit == 0)) {
    refuse(413, format("body: expected at most %zu bytes, found %s", limit,
                       announced > 0 ? std::to_string(announced).c_str() : "chunks"));
    return;
  }
  if (parser_->is_done()) {
    hand_over();
    return;
  }
  parser_->body_limit(limit);
  parser_->on_chunk_header(chunk_rule_);
  deadline(shared_.options.body, [this] { refuse(408, "body: expected sooner"); });
  const auto read = [this] {
    beast::http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->take_body(error); });
  };
  if (equal_without_case(request_.header("Expect"), "100-continue")) {
    writing_bytes_ = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(writing_bytes_),
                      [self = shared_from_this(), read](error_code error, std::size_t) {
                        error ? self->close() : read();
                      });
    return;
  }
  read();
}

void Session::take_body(error_code error) {
  namespace bh = beast::http;
  if (open_) return;  // refused meanwhile, for it took too long
  if (error == bh::error::body_limit) {
    refuse(413, "body: expected fewer bytes");
  } else if (error && error != bh::error::partial_message && error != bh::error::end_of_stream &&
             error.category() == bh::make_error_code(bh::error::bad_chunk).category()) {
    refuse(400, "body: expected chunks without extensions, found " + error.message());
  } else if (error) {
    close();
  } else {
    request_.body = std::move(parser_->get().body());
    hand_over();
  }
}

void Session::hand_over() {
  timer_.cancel();
  open_ = true;
  growing_ = ended_ = false;
  ++exchange_;
  auto exchange = std::make_shared<SessionExchange>(shared_from_this(), exchange_, shared_);
  watch();
  try {
    shared_.application.handle(request_, exchange);
  } catch (const std::exception& error) {
    exchange->respond(shared_.application.error(request_, 500, error.what()));
  }
}

/// Notices that the client leaves, while it waits; what it sends meanwhile is the next request.
void Session::watch() {
  stream_.async_wait_readable([self = shared_from_this()](error_code error) {
    if (error || !self->open_) return;
    const std::size_t room = kBufferBytes - self->buffer_.size();
    if (room < 4096) return;
    error_code failed;
    self->buffer_.commit(self->stream_.read_now(self->buffer_.prepare(4096), failed));
    failed ? self->close() : self->watch();
  });
}

void Session::refuse(int status, const std::string& message) {
  if (open_) return;
  keep_alive_ = false;
  open_ = true;
  respond(shared_.application.error(request_, status, message));
}

void Session::write(std::string bytes, std::function<void()> then) {
  writing_ = true;
  writing_bytes_ = std::move(bytes);
  deadline(shared_.options.write +
               milliseconds(static_cast<long>(writing_bytes_.size() / kSlowestBytesPerMs)),
           [this] { close(); });
  asio::async_write(
      stream_, asio::buffer(writing_bytes_),
      [self = shared_from_this(), next = std::move(then)](error_code error, std::size_t) {
        self->writing_ = false;
        error ? self->close() : next();
      });
}

void Session::respond(const Response& response) {
  std::string bytes = serialize_head(response, Framing::kLength, keep_alive_);
  if (request_.method != "HEAD") bytes += response.body;
  write(std::move(bytes), [this] { finish(); });
}

void Session::answer(std::uint64_t number, const Response& response) {
  if (number != exchange_ || !open_ || growing_ || writing_) return;
  respond(response);
}

void Session::begin(std::uint64_t number, Response head, std::string heartbeat) {
  if (number != exchange_ || !open_ || growing_ || writing_) return;
  growing_ = true;
  ended_ = request_.method == "HEAD";
  heartbeat_ = std::move(heartbeat);
  const bool chunked = parser_->get().version() == 11;
  if (!chunked) keep_alive_ = false;
  head.headers.push_back({"X-Accel-Buffering", "no"});
  write(serialize_head(head, chunked ? Framing::kChunked : Framing::kUntilClose, keep_alive_),
        [this] { pump(); });
}

void Session::send(std::uint64_t number, std::string bytes) {
  if (number != exchange_ || !open_ || !growing_ || ended_ || bytes.empty()) return;
  pending_bytes_ += bytes.size();
  pending_.push_back(std::move(bytes));
  if (pending_bytes_ > kPendingBytes) {
    close();
    return;
  }
  if (!writing_) pump();
}

void Session::end(std::uint64_t number) {
  if (number != exchange_ || !open_ || !growing_) return;
  ended_ = true;
  if (!writing_) pump();
}

void Session::pump() {
  const bool chunked = parser_->get().version() == 11;
  if (!pending_.empty()) {
    std::string bytes = std::move(pending_.front());
    pending_.pop_front();
    pending_bytes_ -= bytes.size();
    if (chunked) bytes = format("%zx\r\n", bytes.size()) + bytes + "\r\n";
    write(std::move(bytes), [this] { pump(); });
  } else if (ended_) {
    const bool last_chunk = chunked && request_.method != "HEAD";
    write(last_chunk ? "0\r\n\r\n" : "", [this] { finish(); });
  } else {
    deadline(shared_.options.heartbeat, [this] { send(exchange_, heartbeat_); });
  }
}

void Session::on_gone(std::uint64_t number, std::function<void()> callback) {
  if (number != exchange_) return;
  if (!stream_.socket().is_open()) {
    callback();
  } else if (open_) {
    gone_ = std::move(callback);
  }
}

/// An answer is complete.
void Session::finish() {
  open_ = growing_ = false;
  gone_ = nullptr;
  request_ = {};
  error_code ignored;
  stream_.socket().cancel(ignored);  // watch()
  if (keep_alive_ && !shared_.stopping) {
    await_request();
  } else {
    linger();
  }
}

/// Lets the client read the answer: closing with bytes unread would take it away again.
void Session::linger() {
  stream_.shut_down_sending();
  deadline(kLinger, [this] { close(); });
  discard();
}

void Session::discard() {
  buffer_.clear();
  stream_.socket().async_read_some(buffer_.prepare(4096),
                                   [self = shared_from_this()](error_code error, std::size_t) {
                                     error ? self->close() : self->discard();
                                   });
}

void Session::close() {
  timer_.cancel();
  stream_.close();
  open_ = growing_ = false;
  pending_.clear();
  if (const auto gone = std::exchange(gone_, nullptr)) gone();
}

}  // namespace

struct Server::Impl {
  Impl(const ServerOptions& options, Application& application)
      : shared(options, application), acceptor(shared.io), pause(shared.io) {
    error_code error;
    const auto address = asio::ip::make_address(options.address, error);
    if (error) {
      throw Error(Code::kInvalidArgument, format("--listen: expected an IP address, found '%s'",
                                                 excerpt(options.address).c_str()));
    }
    const tcp::endpoint endpoint(address, options.port);
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(1024, error);
    if (error) {
      throw Error(
          Code::kDevice,
          format("port: cannot listen on %s:%u: %s; take another address with --listen, or see who "
                 "holds it: ss -ltnp",
                 options.address.c_str(), options.port, error.message().c_str()));
    }
    port = acceptor.local_endpoint().port();
  }

  void accept() {
    acceptor.async_accept([this](error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted || !acceptor.is_open()) return;
      if (error) {  // out of descriptors, most likely: some will be closed
        pause.expires_after(milliseconds(100));
        pause.async_wait([this](error_code) { accept(); });
        return;
      }
      admit(std::move(socket));
      accept();
    });
  }

  void admit(tcp::socket socket) {
    error_code error;
    const auto endpoint = socket.remote_endpoint(error);
    if (error || shared.sessions.size() >= shared.options.connections) return;
    const std::string peer = endpoint.address().to_string();
    const auto known = shared.peers.find(peer);
    if (known != shared.peers.end() && known->second >= shared.options.connections_per_peer) return;
    try {
      std::make_shared<Session>(std::move(socket), peer, shared)->start();
    } catch (const Error&) {  // no memory for TLS: this client's loss
    }
  }

  void stop() {
    if (std::exchange(shared.stopping, true)) return;
    error_code ignored;
    acceptor.close(ignored);
    const auto sessions = shared.sessions;  // stop() may remove some
    for (Session* session : sessions) {
      if (shared.sessions.contains(session)) session->stop();
    }
    if (shared.sessions.empty()) shared.io.stop();
    pause.expires_after(kLinger);
    pause.async_wait([this](error_code) { shared.io.stop(); });
  }

  Shared shared;
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  std::uint16_t port = 0;
};

Server::Server(const ServerOptions& options, Application& application)
    : impl_(std::make_unique<Impl>(options, application)) {}

Server::~Server() = default;

std::uint16_t Server::port() const { return impl_->port; }

void Server::run() {
  impl_->accept();
  impl_->shared.io.run();
}

void Server::stop_listening() {
  asio::post(impl_->shared.io, [this] {
    error_code ignored;
    impl_->acceptor.close(ignored);
  });
}

void Server::stop() {
  asio::post(impl_->shared.io, [this] { impl_->stop(); });
}

std::size_t Server::connections() const { return impl_->shared.connections; }

}  // namespace octet::http
