"""Answer a question about video models: python run_study.py ablations/factorization.yaml."""

import sys

try:
    from study.cli.console import end_quietly
    from study.cli.main import main
except (ImportError, SyntaxError, TypeError) as error:
    from study.cli.outside import say_how_to_start

    sys.exit(say_how_to_start(error))

if __name__ == "__main__":
    sys.exit(end_quietly(main))
