"""The dashboard that tells where work waits, runs for long, or fails."""

from monitoring.dashboard import Dashboard, Panel, Row

_BY_ACTOR = 'sum by (task_name) (rate({name}{{worker=~"$worker"}}[$__rate_interval]))'


def _quantile(share: float, name: str, by: str) -> str:
    return (
        f'histogram_quantile({share}, sum by (le, {by}) (rate({name}_bucket{{worker=~"$worker"}}[$__rate_interval])))'
    )


PAGE = Dashboard(
    "pipeline",
    "Growbin · pipeline",
    (
        Row("Queues", (
            Panel(
                "Messages that wait", "Ready in the broker; what workers have fetched is not in it.", "short",
                (('max by (queue) (growbin_queue_messages{state="ready"})', "{{queue}}"),), stacked=True,
            ),
            Panel(
                "Age of the oldest", "Since the message at the head of a queue was sent or became due.", "s",
                (("max by (queue) (growbin_queue_oldest_age_seconds)", "{{queue}}"),),
                steps=((None, "green"), (120.0, "red")),
            ),
            Panel(
                "Wait before the first run, 95 %", "From the making of a message to its first run.",
                "s", ((_quantile(0.95, "growbin_task_queue_wait_seconds", "task_name"), "{{task_name}}"),),
            ),
            Panel(
                "Slots that the work needs", "What autoscalers go by: busy slots and ready messages; a pod is to have "
                "70 % of its slots busy.", "short", (("max by (group) (growbin:work_slots:sum)", "{{group}}"),),
            ),
        )),
        Row("Runs", (
            Panel(
                "Runs", "Runs that end, by what became of them.", "reqps",
                (('sum by (status) (rate(growbin_tasks_total{worker=~"$worker"}[$__rate_interval]))', "{{status}}"),),
                stacked=True,
            ),
            Panel(
                "Runs by actor", "Runs that end, a second.", "reqps",
                ((_BY_ACTOR.format(name="growbin_tasks_total"), "{{task_name}}"),), stacked=True,
            ),
            Panel(
                "Duration, 50 %", "Half of the runs are faster.", "s",
                ((_quantile(0.5, "growbin_task_duration_seconds", "task_name"), "{{task_name}}"),),
            ),
            Panel(
                "Duration, 95 %", "Of 100 runs 95 are faster.", "s",
                ((_quantile(0.95, "growbin_task_duration_seconds", "task_name"), "{{task_name}}"),),
            ),
        )),
        Row("What goes wrong", (
            Panel(
                "Retries", "Runs that raised and run again, a second.", "reqps",
                ((_BY_ACTOR.format(name="growbin_task_retries_total"), "{{task_name}}"),), width=8,
            ),
            Panel(
                "Deferrals", "Runs that asked to wait for a limit or a service; spend no retry.", "reqps",
                ((_BY_ACTOR.format(name="growbin_task_deferrals_total"), "{{task_name}}"),), width=8,
            ),
            Panel(
                "Given up", "Messages that became dead letters, by reason.", "short",
                (('sum by (reason) (increase(growbin_dead_letters_total{worker=~"$worker"}[$__rate_interval]))',
                  "{{reason}}"),), width=8, stacked=True,
            ),
            Panel(
                "Dead letters kept", "Messages in the broker's dead letter queues, until somebody deals with them.",
                "short", (('max by (queue) (growbin_queue_messages{state="dead"})', "{{queue}}"),), width=8,
            ),
            Panel(
                "Time limits", "Runs that were interrupted at their time limit.", "short",
                (('sum by (worker) (increase(growbin_task_time_limits_total{worker=~"$worker"}[$__rate_interval]))',
                  "{{worker}}"),), width=8,
            ),
            Panel(
                "Redelivered", "Deliveries that could not be finished and went back to the broker.", "reqps",
                (('sum by (reason) (rate(growbin_task_requeues_total{worker=~"$worker"}[$__rate_interval]))',
                  "{{reason}}"),), width=8,
            ),
            Panel(
                "Queues paused", "Times that a process stopped taking a queue's messages: what they need is away.",
                "short",
                (('sum by (queue) (increase(growbin_queue_pauses_total{worker=~"$worker"}[$__rate_interval]))',
                  "{{queue}}"),), width=8,
            ),
        )),
    ),
)  # fmt: skip
