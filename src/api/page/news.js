// What a run tells, in words and as a part of the whole: `text` for the eyes, `announce` for the ears,
// `fraction` of the bar.

function seconds(value) {
  if (value < 1) return 'less than a second';
  if (value < 90) return `about ${Math.round(value)} s`;
  return `about ${Math.round(value / 60)} min`;
}

/** What a run says of itself, in words and as a part of the whole. */
export function describe(entry, news) {
  if (news.state === 'preview') {
    entry.preview = news.url;
    return;
  }
  if (news.state === 'waiting') {
    entry.text = `${sentence(news.why)} Asking again in ${news.left} s.`;
    entry.announce = sentence(news.why);
  } else if (news.state === 'lost') {
    entry.text = entry.announce = 'The connection was lost. Trying again.';
  } else if (news.state === 'queued') {
    const ahead = news.job.queue_position;
    const jobs = ahead === 1 ? '1 job' : `${ahead} jobs`;
    const wait = news.left === null ? '' : `, ${seconds(news.left)} until it is done`;
    entry.text = ahead > 0 ? `Waiting, ${jobs} ahead${wait}.` : `Next in the queue${wait}.`;
    entry.announce = `Waiting, ${jobs} ahead.`;
  } else {
    drawing(entry, news);
  }
}

function sentence(text) {
  const whole = text[0].toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

function drawing(entry, {job, left}) {
  const parts = {init: ['Reading the starting picture.', 0.01], text: ['Reading the prompt.', 0.02],
                 modulation: ['Preparing the steps.', 0.04], decode: ['Developing the picture.', 0.98]};
  if (job.stage !== 'denoise') {
    [entry.text, entry.fraction] = parts[job.stage];
    entry.announce = entry.text;
    return;
  }
  entry.fraction = 0.05 + 0.92 * job.step / Math.max(1, job.steps);
  const eta = left === null ? '' : `, ${seconds(left)} left`;
  entry.text = `Step ${job.step} of ${job.steps}${eta}`;
  entry.announce = `${Math.floor(4 * job.step / job.steps) * 25} percent`;
}
