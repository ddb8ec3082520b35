# A disk that fills up while a checkpoint is written: an error of the machine, and the checkpoints before it stay whole.
source "$top/Tests/EndToEnd/refusals.sh"
declare -F whole >/dev/null || source "$top/Tests/EndToEnd/ranks.sh"

# stays_whole FOLDER: every checkpoint left has its checksum, and no part of another lies about.
stays_whole() {
  (cd "$1" && ls step-*.h5 >/dev/null && sha256sum --check --quiet step-*.h5.sha256 && ! ls ./*.partial)
}

# one_line CAUSE: the program's only line on stderr says so.
one_line() {
  cat err
  [[ $(grep -c '^imagelora: ' err) = 1 ]] && grep -qE "^imagelora: .*$1" err
}

size=$(stat -c %s "whole-1/$last")
mkdir full
for count in 0 2; do
  # Room for two checkpoints and a half.
  if mount -t tmpfs -o "size=$((size * 5 / 2 + 8192))" tmpfs full 2>/dev/null; then
    mounted=$work/full
    found=0
    train "$count" --set checkpoint.directory=full || found=$?
    check "a full disk ($count ranks): status 1" test "$found" = 1
    check "a full disk ($count ranks): one line names the file and the cause" one_line 'step-000000.*No space left'
    check "a full disk ($count ranks): the checkpoints before it are whole" stays_whole full
    umount full
    mounted=
  else
    echo "      no mount allowed here: the limit on a file's size stands in"
  fi
done

# The limit on a file's size holds in the ranks alone, and they talk without shared memory: its file would be too large.
limit_blocks=$((($(stat -c %s "whole-2/step-00000004.h5") - 1) / 1024))
for count in 0 2; do
  rm -rf limited
  mkdir limited
  cp whole-2/step-00000002.h5* limited/
  found=0
  (
    mpi_options+=(--mca btl "self,tcp")
    ranks "$count" bash -c "trap '' XFSZ; ulimit -f $limit_blocks; exec \"\$@\"" limited \
      "$IMAGELORA" train run.yaml --resume auto --set checkpoint.directory=limited >out 2>err
  ) || found=$?
  check "a file too large ($count ranks): status 1" test "$found" = 1
  check "a file too large ($count ranks): one line names the file and the cause" \
    one_line 'step-00000004.*File too large'
  check "a file too large ($count ranks): the checkpoint before it is whole" stays_whole limited
done
rm -rf limited full

# Results are the disk's doing too, once their path is one.
ranks 0 "$IMAGELORA" probe run.yaml --output whole.h5 >out 2>err
for command in "probe run.yaml" "scores merge whole.h5"; do
  set +e
  blocks=$((($(stat -c %s whole.h5) - 1) / 1024))
  (trap '' XFSZ; ulimit -f $blocks; exec "$IMAGELORA" $command --output limited.h5) 2>&1 >out | cat >err
  found=${PIPESTATUS[0]}
  set -e
  check "a result too large (${command% *}): status 1" test "$found" = 1
  check "a result too large (${command% *}): one line names the file" one_line 'limited.h5.*File too large'
  check "a result too large (${command% *}): nothing half-written" sh -c '! ls limited.h5*'
done
