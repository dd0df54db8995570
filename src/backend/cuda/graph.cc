// repeat() and finish_unit(): a stretch of ops as one CUDA graph, and a host that keeps pace.
#include "backend/cuda/cuda_ops.h"
#include "backend/cuda/status.h"
#include "base/check.h"

namespace octet::cuda {
namespace {

// First run: ops one by one, which chooses algorithms and grows scratch. Second: captured.
struct Graph final : Recording {
  ~Graph() override { reset(); }
  void reset() {
    if (exec != nullptr) (void)cudaGraphExecDestroy(exec);
    exec = nullptr;
  }
  cudaGraphExec_t exec = nullptr;
  std::uint64_t scratch_version = 0;
};

}  // namespace

cudaGraphExec_t CudaBackend::capture(const std::function<void()>& ops) {
  cudaGraph_t graph = nullptr;
  check(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal),
        "cudaStreamBeginCapture");
  capturing_ = true;
  try {
    if (ring_) ring_->begin_capture();
    ops();
    if (ring_) ring_->end_capture();
  } catch (...) {
    capturing_ = false;
    if (ring_) ring_->forget();
    if (cudaStreamEndCapture(stream(), &graph) == cudaSuccess) (void)cudaGraphDestroy(graph);
    (void)cudaGetLastError();
    throw;
  }
  capturing_ = false;
  check(cudaStreamEndCapture(stream(), &graph), "cudaStreamEndCapture");
  cudaGraphExec_t exec = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&exec, graph, 0);
  (void)cudaGraphDestroy(graph);
  check(status, "cudaGraphInstantiate");
  return exec;
}

void CudaBackend::repeat(std::unique_ptr<Recording>& recording, const std::function<void()>& ops) {
  if (!recording) {
    ops();
    auto graph = std::make_unique<Graph>();
    graph->scratch_version = scratch_version_;
    recording = std::move(graph);
    return;
  }
  auto& graph = static_cast<Graph&>(*recording);
  if (graph.scratch_version != scratch_version_) {  // it would write where scratch was
    graph.reset();
    ops();
    graph.scratch_version = scratch_version_;
    return;
  }
  if (graph.exec == nullptr) graph.exec = capture(ops);
  if (ring_) ring_->before_graph();
  check(cudaGraphLaunch(graph.exec, stream()), "cudaGraphLaunch");
  if (ring_) ring_->after_graph();
}

int CudaBackend::finish_unit() {
  const std::size_t now = unit_ % units_.size();
  check(cudaEventRecord(units_[now], stream()), "cudaEventRecord");
  if (unit_++ == 0) return 1;
  check(cudaEventSynchronize(units_[1 - now]), "waiting for a step");
  return 1;
}

}  // namespace octet::cuda
