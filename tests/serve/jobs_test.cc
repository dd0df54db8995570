// The queue by itself: order, limits, ends. The test plays clients and worker.

#include "serve/jobs.h"

#include <gtest/gtest.h>

#include <thread>

namespace octet::serve {
namespace {

JobSpec spec(const std::string& prompt, Priority priority = Priority::kNormal) {
  JobSpec s{.model = "m", .priority = priority, .owner = "me", .keep = true};
  s.request.prompt = prompt;
  s.request.steps = 10;
  s.request.width = s.request.height = 64;
  return s;
}

/// Counts ends and remembers the last view.
struct Watcher {
  std::shared_ptr<std::vector<JobView>> views = std::make_shared<std::vector<JobView>>();
  JobListener listener() const {
    return [v = views](const JobView& view) { v->push_back(view); };
  }
  [[nodiscard]] int ends() const {
    int count = 0;
    for (const JobView& view : *views) count += is_over(view.state) ? 1 : 0;
    return count;
  }
};

TEST(Jobs, AreTakenByClassAndThenInOrder) {
  Jobs jobs({});
  for (const auto& [prompt, priority] : {std::pair{"low", Priority::kLow},
                                         {"first", Priority::kNormal},
                                         {"second", Priority::kNormal},
                                         {"high", Priority::kHigh}}) {
    EXPECT_EQ(jobs.submit(spec(prompt, priority), {}).verdict, Verdict::kAccepted);
  }
  for (const char* prompt : {"high", "first", "second", "low"}) {
    EXPECT_EQ(jobs.take()->request.prompt, prompt);
  }
  EXPECT_FALSE(jobs.take());
}

TEST(Jobs, QueueIsBoundedAndRunningJobsDoNotCount) {
  Jobs jobs({.queued = 2});
  (void)jobs.submit(spec("a"), {});
  (void)jobs.take();
  EXPECT_EQ(jobs.submit(spec("b"), {}).verdict, Verdict::kAccepted);
  EXPECT_EQ(jobs.submit(spec("c"), {}).verdict, Verdict::kAccepted);
  const Submission full = jobs.submit(spec("d", Priority::kHigh), {});
  EXPECT_EQ(full.verdict, Verdict::kFull);
  EXPECT_GT(full.wait, 0);
}

TEST(Jobs, DoneOnceWithPictures) {
  Jobs jobs({});
  const Watcher watcher;
  const Submission job = jobs.submit(spec("a"), watcher.listener());
  (void)jobs.take();
  jobs.receive(ProgressMessage{job.id, Stage::kDenoise, 3, 10});
  jobs.receive(PictureMessage{.id = job.id, .seed = 5, .bytes = {std::byte{1}}});
  jobs.receive(DoneMessage{.id = job.id});
  jobs.receive(DoneMessage{.id = job.id});
  jobs.receive(FailedMessage{job.id, Code::kInternal, "late"});
  EXPECT_EQ(watcher.ends(), 1);
  const JobView last = watcher.views->back();
  EXPECT_EQ(last.state, JobState::kDone);
  ASSERT_EQ(last.pictures.size(), 1u);
  EXPECT_EQ(last.pictures[0].seed, 5u);
  EXPECT_EQ(jobs.find(job.token)->pictures.size(), 1u);
  EXPECT_TRUE(jobs.idle());
}

TEST(Jobs, ListenersHearEveryPlaceInTheQueue) {
  Jobs jobs({});
  const Watcher watcher;
  (void)jobs.submit(spec("a"), {});
  (void)jobs.submit(spec("b"), {});
  (void)jobs.submit(spec("c"), watcher.listener());
  EXPECT_EQ(watcher.views->back().queue_position, 2u);
  (void)jobs.take();
  EXPECT_EQ(watcher.views->back().queue_position, 1u);
  (void)jobs.submit(spec("d", Priority::kHigh), {});
  EXPECT_EQ(jobs.find(watcher.views->back().token)->queue_position, 2u);
}

TEST(Jobs, CancelledWhileWaitingEndsAtOnce) {
  Jobs jobs({});
  const Watcher watcher;
  const Submission job = jobs.submit(spec("a"), watcher.listener());
  EXPECT_TRUE(jobs.cancel(job.token, CancelCause::kClient));
  EXPECT_FALSE(jobs.cancel(job.token, CancelCause::kClient));
  EXPECT_EQ(watcher.ends(), 1);
  EXPECT_EQ(watcher.views->back().state, JobState::kCancelled);
  EXPECT_FALSE(jobs.take());
}

TEST(Jobs, CancelledWhileDrawnEndsWhenTheWorkerSaysSo) {
  Jobs jobs({});
  const Watcher watcher;
  const Submission job = jobs.submit(spec("a"), watcher.listener());
  (void)jobs.take();
  EXPECT_TRUE(jobs.cancel(job.token, CancelCause::kDisconnect));
  EXPECT_EQ(watcher.ends(), 0);
  EXPECT_EQ(jobs.take_cancels(), std::vector<JobId>{job.id});
  EXPECT_TRUE(jobs.take_cancels().empty()) << "said once";
  jobs.receive(FailedMessage{job.id, Code::kCancelled, "cancelled"});
  EXPECT_EQ(watcher.views->back().state, JobState::kCancelled);
  EXPECT_EQ(watcher.views->back().cancel_cause, CancelCause::kDisconnect);
}

TEST(Jobs, AreReplayedOnceWhenTheWorkerDies) {
  Jobs jobs({.attempts = 2});
  const Watcher watcher;
  const Submission job = jobs.submit(spec("a"), watcher.listener());
  (void)jobs.submit(spec("b"), {});
  (void)jobs.take();
  jobs.receive(PictureMessage{.id = job.id, .bytes = {std::byte{1}}});
  jobs.worker_lost("killed");
  EXPECT_EQ(jobs.take()->request.prompt, "a") << "before those that came later";
  EXPECT_TRUE(jobs.find(job.token)->pictures.empty()) << "pictures of the first attempt";
  jobs.worker_lost("killed again");
  EXPECT_EQ(watcher.ends(), 1);
  EXPECT_EQ(watcher.views->back().state, JobState::kFailed);
  EXPECT_NE(watcher.views->back().error.find("killed again"), std::string::npos);
  EXPECT_EQ(jobs.take()->request.prompt, "b");
}

TEST(Jobs, WhatMayHaveKilledAWorkerIsReplayedAlone) {
  Jobs jobs({.attempts = 2});
  const Watcher guilty, innocent;
  (void)jobs.submit(spec("guilty"), guilty.listener());
  (void)jobs.submit(spec("innocent"), innocent.listener());
  (void)jobs.take();
  (void)jobs.take();
  jobs.worker_lost("killed");
  (void)jobs.submit(spec("new"), {});
  EXPECT_EQ(jobs.take()->request.prompt, "guilty");
  EXPECT_FALSE(jobs.take()) << "nothing beside it";
  jobs.worker_lost("killed");
  EXPECT_EQ(guilty.views->back().state, JobState::kFailed);
  const auto second = jobs.take();
  EXPECT_EQ(second->request.prompt, "innocent");
  EXPECT_FALSE(jobs.take());
  jobs.receive(DoneMessage{.id = second->id});
  EXPECT_EQ(innocent.views->back().state, JobState::kDone);
  EXPECT_EQ(jobs.take()->request.prompt, "new");
}

TEST(Jobs, CancelledJobsAreNotReplayed) {
  Jobs jobs({});
  const Watcher watcher;
  const Submission job = jobs.submit(spec("a"), watcher.listener());
  (void)jobs.take();
  (void)jobs.cancel(job.token, CancelCause::kClient);
  jobs.worker_lost("killed");
  EXPECT_EQ(watcher.views->back().state, JobState::kCancelled);
  EXPECT_TRUE(jobs.idle());
}

TEST(Jobs, DeadlinesCancelWaitingAndDrawnJobs) {
  Jobs jobs({});
  JobSpec late = spec("a");
  late.deadline = 0.01;
  const Watcher waiting, drawn;
  const Submission first = jobs.submit(late, drawn.listener());
  (void)jobs.take();
  (void)jobs.submit(late, waiting.listener());
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  jobs.expire();
  EXPECT_EQ(waiting.views->back().cancel_cause, CancelCause::kDeadline);
  EXPECT_EQ(waiting.views->back().state, JobState::kCancelled);
  EXPECT_EQ(jobs.take_cancels(), std::vector<JobId>{first.id});
}

TEST(Jobs, WhatCannotBeDoneInTimeIsRefused) {
  Jobs jobs({});
  const Submission measured = jobs.submit(spec("a"), {});
  (void)jobs.take();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  jobs.receive(DoneMessage{.id = measured.id});
  JobSpec hasty = spec("b");
  hasty.deadline = 0.001;
  EXPECT_EQ(jobs.submit(hasty, {}).verdict, Verdict::kTooLate);
  hasty.deadline = 60;
  EXPECT_EQ(jobs.submit(hasty, {}).verdict, Verdict::kAccepted);
}

TEST(Jobs, DrainingAcceptsNothing) {
  Jobs jobs({});
  (void)jobs.submit(spec("a"), {});
  jobs.drain();
  EXPECT_EQ(jobs.submit(spec("b"), {}).verdict, Verdict::kDraining);
  EXPECT_FALSE(jobs.idle());
  jobs.cancel_all(CancelCause::kDrain);
  EXPECT_TRUE(jobs.idle());
}

TEST(Jobs, OwnersCancelOnlyTheirOwn) {
  Jobs jobs({});
  JobSpec other = spec("a");
  other.owner = "other";
  (void)jobs.submit(spec("b"), {});
  (void)jobs.submit(other, {});
  EXPECT_EQ(jobs.cancel_all_of("me", CancelCause::kClient), 1u);
  EXPECT_EQ(jobs.take()->request.prompt, "a");
}

TEST(Jobs, ResultsAreForgottenByTimeAndBySize) {
  Jobs jobs({.keep_seconds = 1000, .keep_bytes = 100});
  std::vector<std::string> tokens;
  for (int i = 0; i < 3; ++i) {
    const Submission job = jobs.submit(spec("a"), {});
    tokens.push_back(job.token);
    (void)jobs.take();
    jobs.receive(PictureMessage{.id = job.id, .bytes = std::vector<std::byte>(60)});
    jobs.receive(DoneMessage{.id = job.id});
  }
  jobs.expire();
  EXPECT_FALSE(jobs.find(tokens[0]));
  EXPECT_FALSE(jobs.find(tokens[1]));
  EXPECT_TRUE(jobs.find(tokens[2]));
  JobSpec unkept = spec("b");
  unkept.keep = false;
  const Submission job = jobs.submit(unkept, {});
  (void)jobs.take();
  jobs.receive(DoneMessage{.id = job.id});
  jobs.expire();
  EXPECT_FALSE(jobs.find(job.token));
}

TEST(Jobs, EstimatesFollowWhatWasMeasured) {
  Jobs jobs({});
  EXPECT_FALSE(jobs.find(jobs.submit(spec("a"), {}).token)->eta);
  const auto first = jobs.take();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  jobs.receive(DoneMessage{.id = first->id});
  const Submission second = jobs.submit(spec("b"), {});
  const Submission third = jobs.submit(spec("c"), {});
  EXPECT_NEAR(third.wait, 0.05, 0.04);
  EXPECT_NEAR(*jobs.find(third.token)->eta, 0.1, 0.08);
  (void)jobs.take();
  jobs.receive(ProgressMessage{second.id, Stage::kText, 1, 1});
  EXPECT_NEAR(*jobs.find(second.token)->eta, 0.05, 0.04);
  jobs.receive(ProgressMessage{second.id, Stage::kDenoise, 9, 10});
  EXPECT_NEAR(*jobs.find(second.token)->eta, 0.005, 0.005);
}

}  // namespace
}  // namespace octet::serve
