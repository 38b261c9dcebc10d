#include "runtime/core/chrome_trace.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "runtime/core/error.h"
#include "runtime/core/file_io.h"
#include "runtime/core/log.h"

namespace xrai {
namespace {

// Names of layers come from model files, and may hold anything that is a text.
std::string json_text(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      quoted += {'\\', c};
    else if (static_cast<unsigned char>(c) < 0x20)
      quoted += fmt::format("\\u{:04x}", static_cast<int>(c));
    else
      quoted += c;
  }
  return quoted + "\"";
}

// The format counts in microseconds.
std::string microseconds(std::int64_t ns) {
  return fmt::format("{}.{:03}", ns / 1000, ns % 1000);
}

}  // namespace

// The room is taken at once, so that nothing is moved while somebody measures; the system gives pages as they are used.
ChromeTrace::ChromeTrace(Trace* beside, std::size_t most_ranges) : beside_(beside), most_ranges_(most_ranges) {
  ranges_.reserve(most_ranges);
}

std::int64_t ChromeTrace::now_ns() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start_).count();
}

std::uint32_t ChromeTrace::this_thread() {
  const auto [place, is_new] =
      thread_numbers_.try_emplace(std::this_thread::get_id(), static_cast<std::uint32_t>(threads_.size()));
  if (is_new) threads_.push_back({::syscall(SYS_gettid), {}, {}});
  return place->second;
}

std::uint32_t ChromeTrace::number_of(std::string_view name) {
  const auto place = numbers_.find(name);
  if (place != numbers_.end()) return place->second;
  const auto number = static_cast<std::uint32_t>(names_.size());
  names_.emplace_back(name);
  numbers_.emplace(name, number);
  return number;
}

// A range takes its place when it begins: when there is no more room the outer ones, which end last, are there.
void ChromeTrace::begin(std::string_view name) {
  if (beside_ != nullptr) beside_->begin(name);
  const std::lock_guard lock(mutex_);
  const std::uint32_t thread = this_thread();
  if (ranges_.size() >= most_ranges_) {
    ++left_out_;
    threads_[thread].open.push_back(kLeftOut);
    return;
  }
  threads_[thread].open.push_back(ranges_.size());
  ranges_.push_back({now_ns(), kOpen, number_of(name), thread});
}

void ChromeTrace::end() {
  if (beside_ != nullptr) beside_->end();
  const std::lock_guard lock(mutex_);
  std::vector<std::size_t>& open = threads_[this_thread()].open;
  if (open.empty()) return;
  if (open.back() != kLeftOut) ranges_[open.back()].ended_ns = now_ns();
  open.pop_back();
}

void ChromeTrace::name_thread(std::string_view name) {
  if (beside_ != nullptr) beside_->name_thread(name);
  const std::lock_guard lock(mutex_);
  threads_[this_thread()].name = name;
}

void ChromeTrace::write_events(std::ostream& out) const {
  const auto process = ::getpid();
  const auto began = std::chrono::duration_cast<std::chrono::nanoseconds>(start_by_clock_.time_since_epoch()).count();
  out << fmt::format(
      "{{\"displayTimeUnit\":\"ms\",\"otherData\":{{\"ranges_left_out\":{},\"began_unix_ns\":{}}},\"traceEvents\":[\n",
      left_out_, began);
  out << fmt::format(R"({{"name":"process_name","ph":"M","pid":{},"tid":{},"args":{{"name":"xrai"}}}})", process,
                     process);
  for (const Thread& thread : threads_) {
    if (thread.name.empty()) continue;
    out << fmt::format(
        ",\n"
        R"({{"name":"thread_name","ph":"M","pid":{},"tid":{},"args":{{"name":{}}}}})",
        process, thread.id, json_text(thread.name));
  }
  const std::int64_t now = now_ns();
  for (const Range& range : ranges_) {
    const std::int64_t ended = range.ended_ns == kOpen ? now : range.ended_ns;
    out << fmt::format(
        ",\n"
        R"({{"name":{},"ph":"X","pid":{},"tid":{},"ts":{},"dur":{}}})",
        json_text(names_[range.name]), process, threads_[range.thread].id, microseconds(range.began_ns),
        microseconds(ended - range.began_ns));
  }
  out << "\n]}\n";
}

void ChromeTrace::write(const std::filesystem::path& path) const {
  const std::lock_guard lock(mutex_);
  write_aside_and_rename(path, [&](const std::filesystem::path& aside) {
    std::ofstream out(aside, std::ios::binary);
    write_events(out);
    out.close();
    if (!out) throw Error(ExitCode::kStorage, fmt::format("cannot write {}: {}", path.string(), std::strerror(errno)));
  });
  if (left_out_ > 0)
    log::warning(fmt::format("{} holds the first {} ranges; {} later ones are left out", path.string(), ranges_.size(),
                             left_out_));
}

}  // namespace xrai
