// octet generate: reads the command line, runs the engine once, writes pictures and reports.

#include <chrono>
#include <utility>

#include "base/atomic_file.h"
#include "base/format.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/safetensors_writer.h"
#include "commands.h"
#include "doctor/doctor.h"
#include "generate_options.h"
#include "init_files.h"
#include "interrupt.h"
#include "model_command.h"
#include "octet/error.h"
#include "output_files.h"
#include "picture_encoder.h"
#include "picture_file.h"
#include "progress_display.h"
#include "repeat.h"
#include "report.h"
#include "standard_streams.h"

namespace octet::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

FloatArray read_noise_tensor(const std::string& path) {
  const SafetensorsFile file(open_file(path));
  const auto place = file.tensors().find("noise");
  if (place == file.tensors().end()) {
    throw Error(Code::kInvalidArgument, "expected a tensor 'noise', found none in '" + path + "'");
  }
  const TensorInfo& info = place->second;
  if (info.dtype != DType::kF32 || info.dims.size() != 4) {
    throw Error(Code::kInvalidArgument,
                format("expected 'noise' as F32 with 4 dimensions, found %s with %zu in '%s'",
                       info.dtype_name.c_str(), info.dims.size(), path.c_str()));
  }
  const std::vector<std::byte> bytes = file.read(info);
  FloatArray noise{.dims = info.dims, .values = std::vector<float>(bytes.size() / sizeof(float))};
  std::copy_n(bytes.data(), noise.values.size() * sizeof(float),
              reinterpret_cast<std::byte*>(noise.values.data()));
  return noise;
}

/// A noise file is part of the request: a broken one is not a broken model.
FloatArray read_noise(const std::string& path) {
  try {
    return read_noise_tensor(path);
  } catch (const Error& error) {
    const bool is_io = error.code() == Code::kIo || error.code() == Code::kOutOfMemory;
    throw Error(is_io ? error.code() : Code::kInvalidArgument,
                std::string("--noise: ") + error.what());
  }
}

void print_lines(const GenerateOptions& options, const std::vector<std::string>& lines) {
  if (options.quiet || options.json) return;
  for (const std::string& line : lines) print_line(line);
}

void print_warnings(const GenerateOptions& options, const std::vector<std::string>& warnings) {
  if (options.quiet) return;
  for (const std::string& warning : warnings) print_line("octet: warning: " + warning);
}

void append(std::vector<std::string>& to, const std::vector<std::string>& lines) {
  to.insert(to.end(), lines.begin(), lines.end());
}

Engine load(const GenerateOptions& options) {
  ProgressDisplay display(progress_style(options.quiet || options.json));
  display.note("loading " + options.engine.model + " ...");
  EngineOptions engine = options.engine;
  engine.memory.request = options.request;
  if (stderr_is_terminal() && !options.quiet && !options.json) {
    engine.reading = byte_hook(display, "loading");
  }
  try {
    return Engine(engine);  // neither copied nor moved
  } catch (const Error& error) {
    throw doctor::named(error, engine);
  }
}

void require_fit(const GenerateOptions& options) {
  doctor::Subject subject{.engine = options.engine, .output = output_folder(options.output)};
  subject.engine.memory.request = options.request;
  doctor::require_fit(subject);
}

/// The files of a run and what is to be said of them, made while it goes on.
struct Files {
  FloatTensors dumped;
  std::vector<std::string> warnings;  // touched by `pictures` until it has finished
  PictureEncoder pictures;
};

GenerateResult draw(Engine& engine, const GenerateOptions& options, ImageFormat format,
                    const std::vector<std::string>& warnings, Files& files) {
  ProgressDisplay display(progress_style(options.quiet || options.json));
  display.note("reading the prompt ...");
  GenerateHooks hooks;
  bool started = false;
  hooks.progress = [&](const Progress& progress) {
    if (interrupted()) return false;
    // Only now is the request known to be one that the model can do.
    if (!std::exchange(started, true)) {
      display.clear();
      print_lines(options, model_lines(engine.model()));
      print_warnings(options, warnings);
    }
    display.update(progress);
    return true;
  };
  if (!options.dump_file.empty()) {
    hooks.dump = [&](const std::string& name, FloatArray value) {
      files.dumped.insert_or_assign(name, std::move(value));
    };
  }
  hooks.picture = [&, format](const Picture& picture, const UsedSettings& used) {
    files.pictures.add([&engine, &options, &picture, used, format, &files] {
      return encode_picture_file({options, engine.model(), used, picture}, format, files.warnings);
    });
  };
  try {
    return engine.generate(options.request, hooks);
  } catch (const Error& error) {
    throw doctor::named_memory(error, engine.model().device);
  }
}

void write_outputs(RunReport& report, Files& files) {
  // All pictures are encoded before the first is written: what can fail without touching a file
  // comes first.
  const std::vector<PictureEncoder::File> encoded = files.pictures.finish();
  print_warnings(report.options, files.warnings);
  append(report.warnings, files.warnings);
  stop_if_interrupted();
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    if (report.outputs.to_stdout) {
      write_stdout(encoded[i]);
    } else {
      write_file_atomically(report.outputs.files.at(i), encoded[i]);
    }
  }
  if (!report.options.dump_file.empty()) {
    write_safetensors(report.options.dump_file, files.dumped);
  }
}

OutputPlan checked_outputs(const GenerateOptions& options) {
  OutputPlan outputs = plan_outputs(options.output, options.request.batch);
  for (const std::string& file : outputs.files) {
    if (file == options.dump_file) {
      throw Error(Code::kInvalidArgument,
                  "--dump: expected another file than -o, found '" + excerpt(file) + "'");
    }
    check_writable("-o", file);
  }
  if (!options.dump_file.empty()) check_writable("--dump", options.dump_file);
  return outputs;
}

/// What `work` returns; where memory is short, doctor's finding.
template <typename Work>
auto named_memory(const EngineOptions& options, const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.code() != Code::kOutOfMemory) throw;
    throw doctor::named(error, options);
  }
}

/// What `work` returns; its errors with files as doctor's finding.
template <typename Work>
auto named_outputs(const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    throw doctor::named_output(error);
  }
}

std::vector<std::string> record_warnings(const GenerateOptions& options, const ModelInfo& model) {
  if (options.like_digest.empty() || options.like_digest == model.digest) return {};
  return {format(
      "--like: %s was drawn by a model with digest %.16s, this one has %.16s: "
      "the picture will differ",
      excerpt(options.like_file).c_str(), options.like_digest.c_str(), model.digest.c_str())};
}

int generate(GenerateOptions options, Clock::time_point start) {
  const OutputPlan outputs = named_outputs([&] { return checked_outputs(options); });
  require_fit(options);
  if (!options.noise_file.empty()) options.request.noise = read_noise(options.noise_file);
  std::vector<std::string> warnings = read_init_files(options);
  append(warnings, recorded_files_warnings(options));
  Engine engine = load(options);
  const CleanStop clean_stop;
  append(warnings, engine.model().warnings);
  append(warnings, record_warnings(options, engine.model()));
  Files files;
  const GenerateResult result = named_memory(
      options.engine, [&] { return draw(engine, options, outputs.format, warnings, files); });
  print_warnings(options, result.warnings);
  append(warnings, result.warnings);

  RunReport report{.options = options,
                   .model = engine.model(),
                   .result = result,
                   .outputs = outputs,
                   .warnings = std::move(warnings)};
  const Clock::time_point encode_start = Clock::now();
  named_outputs([&] { write_outputs(report, files); });
  report.encode_seconds = seconds_since(encode_start);
  report.total_seconds = seconds_since(start);
  print_lines(options, picture_lines(report));
  if (options.json) write_stdout(json_report(report));
  return 0;
}

}  // namespace

int run_generate(Words words) {
  const Clock::time_point start = Clock::now();
  install_interrupt_handlers();
  bool help = false;
  GenerateOptions options = read_generate_options(words, &help);
  if (help) {
    write_stdout(generate_help());
    return 0;
  }
  return generate(std::move(options), start);
}

}  // namespace octet::cli
