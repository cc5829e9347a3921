"""`--cancel`: end the submitted jobs of a study."""

from study.cli.options import Arguments, Options, open_plan


def add_arguments(actions: Arguments, group: Arguments) -> None:
    """`--cancel`."""
    actions.add_argument(
        "--cancel", action="store_true", help="cancel this study's SLURM jobs, and no others"
    )


def execute(options: Options) -> int:
    """Cancel the jobs; 0.

    Raises:
        StudyError: If the executor is missing or refuses.
    """
    from study.executors.executor import ExecutorError
    from study.plan.planner import executor_of

    plan, store, console = open_plan(options)
    try:
        count = executor_of(plan.study, store.root).cancel()
    except ExecutorError as error:
        raise plan.study.error(("run", plan.study.run.executor), str(error)) from None
    console.print(f"cancelled {count} jobs; checkpoints stay, and a plain run resumes from them")
    return 0
